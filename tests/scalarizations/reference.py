"""Eqs. 4-6, 11 and 12 once more, in NumPy float64 and plain loops."""

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


class Reference:
    """One object per run: it remembers the best values."""

    def __init__(self, weights: list[float], margin: float, sigma: float) -> None:
        self.weights = weights
        self.margin = margin
        self.sigma = sigma
        self.best = [float("inf")] * len(weights)

    def distances(self, values: list[float]) -> list[float]:
        found = []
        for i, value in enumerate(values):
            self.best[i] = min(self.best[i], value)
            epsilon = self.margin * abs(self.best[i])
            found.append(self.weights[i] * (value - (self.best[i] - epsilon)))
        return found

    def sum(self, values: list[float], gradients: Vector) -> tuple[float, Vector]:
        total, direction = 0.0, np.zeros(gradients.shape[1])
        for weight, value, row in zip(self.weights, values, gradients, strict=True):
            total += weight * value
            direction = direction + weight * row
        return total, direction

    def largest(self, distances: list[float], gradients: Vector) -> tuple[float, Vector, int]:
        active = 0
        for i, distance in enumerate(distances):
            if distance > distances[active]:
                active = i
        return distances[active], self.weights[active] * gradients[active], active


def descend(theta: Vector, gradient: Vector, step: int) -> Vector:
    """Eq. 12 with the paper's step size."""
    rate = 0.01 / float(step) ** 0.4
    return np.array([entry - rate * slope for entry, slope in zip(theta, gradient, strict=True)])
