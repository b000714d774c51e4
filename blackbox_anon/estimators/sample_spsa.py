"""SPSA with a direction of its own for every sample."""

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.arguments import require
from blackbox_anon.estimators.abstract import Estimate
from blackbox_anon.estimators.counting import AbstractCountingEstimator
from blackbox_anon.estimators.frame_pairs import ask_frames, conclude
from blackbox_anon.estimators.functional import power_decay, rademacher
from blackbox_anon.estimators.problem import BlackBoxProblem


class SampleSPSA(AbstractCountingEstimator):
    """Perturbs the parameters differently for every sample of a batch.

    A batch of ``B`` then tells about ``B`` directions for the price of one: ``2 * B`` queries. The
    estimate's noise falls by about the root of ``B``, if the samples' gradients agree; it is still
    noise in all parameters. :class:`ActiveSubspaceSPSA` draws the directions where the frames
    change.

    Args:
        radius: Perturbation radius ``c_1`` at the first step, in parameter units.
        radius_decay: Exponent of the power law by which the radius shrinks.
        seed: Seed of the directions, 0 or more.

    Logs:
        ``dead_pairs`` (steps without any differing pair so far), ``dead_share``,
        ``dropped_share``, ``pixel_difference``, ``gradient_norm``, ``radius``.

    Raises:
        ValueError: If an argument is out of its range.
    """

    def __init__(self, radius: float = 0.005, radius_decay: float = 0.2, *, seed: int = 0) -> None:
        super().__init__()
        require(
            radius=(radius, radius > 0, "positive"),
            radius_decay=(radius_decay, radius_decay >= 0, "0 or more"),
            seed=(seed, seed >= 0, "0 or more"),
        )
        self.radius, self.radius_decay, self.seed = radius, radius_decay, seed

    @property
    @override
    def queries_per_sample(self) -> int:
        return 2

    @override
    @torch.no_grad()
    def forward(self, theta: Tensor, problem: BlackBoxProblem) -> Estimate:
        step = int(self.step) + 1
        radius = power_decay(self.radius, self.radius_decay, step)
        batch = len(problem.anonymize(theta))
        signs = rademacher(batch * len(theta), self.seed, step).to(theta).view(batch, -1)
        ends = [problem.each(theta + side * radius * signs) for side in (1, -1)]
        pairs = ask_frames(torch.stack(ends).unsqueeze(1), problem)
        gradient = (pairs.slopes[0].to(signs) / (2 * radius * batch)) @ signs
        estimate = conclude(
            gradient, pairs, problem, step=step, dead_pairs=self.dead_pairs, history=None
        )
        self.step.fill_(step)
        estimate.logs["radius"] = theta.new_tensor(radius)
        return estimate
