"""Eqs. 7-10 and Algorithm 1 once more, in NumPy float64 and plain loops."""

import math

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


def spsa(loss_plus: float, loss_minus: float, direction: Vector, radius: float) -> Vector:
    return np.array([(loss_plus - loss_minus) / (2 * radius * entry) for entry in direction])


def norm(vector: Vector) -> float:
    return math.sqrt(sum(float(entry) ** 2 for entry in vector))


class History:
    """``C_g`` as a growing list of ``(t_i, g_i)``, in the order of slots."""

    def __init__(
        self, capacity: int, decay: float, mixing: float, indicator: float, selection: str
    ) -> None:
        self.capacity = capacity
        self.decay = decay
        self.mixing = mixing
        self.indicator = indicator
        self.selection = selection
        self.stored: list[tuple[int, Vector]] = []

    def __call__(self, gradient: Vector, step: int) -> tuple[Vector, float]:
        if norm(gradient) == 0:
            return np.zeros_like(gradient), 0.0
        enhanced, indicator = self.enhance(gradient), 0.0
        if norm(enhanced) > 0:
            cosine = float(gradient @ enhanced) / (norm(gradient) * norm(enhanced))
            indicator = self.indicator / math.pi * math.atan(2 * math.pi * cosine)
        self.select(gradient, step)
        return enhanced, indicator

    def enhance(self, gradient: Vector) -> Vector:
        if not self.stored:
            return gradient
        total = np.zeros_like(gradient)
        for _, past in self.stored:
            total = total + past
        return self.mixing * gradient + (1 - self.mixing) / self.capacity * total

    def select(self, gradient: Vector, step: int) -> None:
        scores = [self.decay ** (step - t) * norm(past) for t, past in self.stored]
        has_room = len(self.stored) < self.capacity
        greater = bool(scores) and norm(gradient) > min(scores)
        if self.selection == "latest":
            if has_room:
                self.stored.append((step, gradient))
            else:
                times = [t for t, _ in self.stored]
                self.stored[times.index(min(times))] = (step, gradient)
        elif self.selection == "literal":
            if greater:
                self.stored[scores.index(min(scores))] = (step, gradient)
            elif has_room:
                self.stored.append((step, gradient))
        elif has_room:
            self.stored.append((step, gradient))
        elif greater:
            self.stored[scores.index(min(scores))] = (step, gradient)
