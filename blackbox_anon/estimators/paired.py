"""What the estimators share that ask on both sides along directions of parameter space."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.arguments import require
from blackbox_anon.estimators.abstract import Estimate
from blackbox_anon.estimators.counting import AbstractCountingEstimator
from blackbox_anon.estimators.functional import power_decay, spsa_gradient
from blackbox_anon.estimators.pairs import PairLosses, evaluate_pairs
from blackbox_anon.estimators.problem import BlackBoxProblem


class AbstractPairedEstimator(AbstractCountingEstimator, ABC):
    """Asks along directions that seed and step alone decide, the same on every rank.

    Args:
        radius: Perturbation radius ``c_1`` at the first step, in parameter units.
        radius_decay: Exponent of the power law by which the radius shrinks.
        seed: Seed of the directions, 0 or more.
        num_directions: Pairs per step; the estimate is their mean.

    Raises:
        ValueError: If an argument is out of its range.
    """

    def __init__(
        self, radius: float, radius_decay: float, *, seed: int, num_directions: int
    ) -> None:
        super().__init__()
        require(
            radius=(radius, radius > 0, "positive"),
            radius_decay=(radius_decay, radius_decay >= 0, "0 or more"),
            seed=(seed, seed >= 0, "0 or more"),
            num_directions=(num_directions, num_directions >= 1, "1 or more"),
        )
        self.radius, self.radius_decay = radius, radius_decay
        self.seed, self.num_directions = seed, num_directions

    @property
    @override
    def queries_per_sample(self) -> int:
        return 2 * self.num_directions

    @abstractmethod
    def _draw(self, size: int, step: int) -> Tensor:
        """Return the entries of a step's directions, shape ``(size,)``."""

    def _estimate(self, theta: Tensor, problem: BlackBoxProblem) -> tuple[Estimate, Tensor]:
        """Make one step and return its estimate, and whether any pair differs, a scalar.

        The gradient is the mean over valid pairs; dead ones count as zero.
        """
        step = int(self.step) + 1
        radius = power_decay(self.radius, self.radius_decay, step)
        drawn = self._draw(self.num_directions * len(theta), step)
        directions = drawn.view(self.num_directions, -1).to(theta)
        pairs = evaluate_pairs(theta, problem, directions, radius)
        gradient = _mean_gradient(pairs, directions, radius)
        self.step.fill_(step)
        self.dead_pairs.add_(pairs.dead.sum())
        logs = {
            "dead_pairs": self.dead_pairs.clone(),
            "dead_share": 1 - pairs.differing.mean(),
            "dropped_share": 1 - pairs.valid.mean(),
            "pixel_difference": pairs.pixel_difference.mean(),
            "gradient_norm": torch.linalg.vector_norm(gradient),
            "radius": theta.new_tensor(radius),
        }
        loss = torch.cat([pairs.plus, pairs.minus]).mean()
        found = Estimate(gradient=gradient, loss=loss, queries=pairs.queries, logs=logs)
        return found, pairs.differing.any()


def _mean_gradient(pairs: PairLosses, directions: Tensor, radius: float) -> Tensor:
    triples = zip(pairs.plus, pairs.minus, directions, strict=True)
    estimates = torch.stack([spsa_gradient(*triple, radius) for triple in triples])
    return torch.where((pairs.differing > 0).unsqueeze(1), estimates, 0.0).mean(dim=0)
