"""The plain two-point estimator."""

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.estimators.abstract import Estimate
from blackbox_anon.estimators.functional import rademacher
from blackbox_anon.estimators.paired import AbstractPairedEstimator
from blackbox_anon.estimators.problem import BlackBoxProblem


class SPSA(AbstractPairedEstimator):
    """Simultaneous perturbation stochastic approximation with random signs.

    A step costs ``2 * num_directions`` queries per sample. The direction is a function of the seed
    and the step, the same on every rank. A dead pair, whose losses agree for every sample on every
    rank, contributes zero and is counted. A sample's pair with a failed half is dropped; the
    estimate is the mean over valid pairs. If the black box raises, or too few pairs are valid, the
    step is not counted, and a retry asks the same questions.

    The step counter is read on the host once per call, because directions are drawn there.

    Args:
        radius: Perturbation radius ``c_1`` at the first step, in parameter units.
        radius_decay: Exponent of the power law by which the radius shrinks.
        seed: Seed of the directions, 0 or more.
        num_directions: Pairs per step; the estimate is their mean.

    Logs:
        ``dead_pairs`` (count since the start), ``dead_share`` (of valid pairs whose two losses
        agree), ``dropped_share`` (of pairs with a failed half), ``pixel_difference`` (mean, of
        8-bit frames in ``[0, 1]``), ``gradient_norm``, ``radius``.

    Raises:
        ValueError: If an argument is out of its range.

    Reference:
        Eq. 7 of "When Visual Privacy Protection Meets Multimodal Large Language Models", IJCV 2026.
    """

    def __init__(
        self,
        radius: float = 0.005,
        radius_decay: float = 0.2,
        *,
        seed: int = 0,
        num_directions: int = 1,
    ) -> None:
        super().__init__(radius, radius_decay, seed=seed, num_directions=num_directions)

    @override
    @torch.no_grad()
    def forward(self, theta: Tensor, problem: BlackBoxProblem) -> Estimate:
        estimate, _ = self._estimate(theta, problem)
        return estimate

    @override
    def _draw(self, size: int, step: int) -> Tensor:
        return rademacher(size, self.seed, step)
