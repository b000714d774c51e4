"""The plain two-point estimator."""

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.estimators.abstract import AbstractEstimator, BlackBoxProblem, Estimate
from blackbox_anon.estimators.functional import power_decay, rademacher, spsa_gradient
from blackbox_anon.estimators.pairs import PairLosses, evaluate_pairs


class SPSA(AbstractEstimator):
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

    step: Tensor
    dead_pairs: Tensor

    def __init__(
        self,
        radius: float = 0.005,
        radius_decay: float = 0.2,
        *,
        seed: int = 0,
        num_directions: int = 1,
    ) -> None:
        super().__init__()
        for name, value, holds, expected in (
            ("radius", radius, radius > 0, "positive"),
            ("radius_decay", radius_decay, radius_decay >= 0, "0 or more"),
            ("seed", seed, seed >= 0, "0 or more"),
            ("num_directions", num_directions, num_directions >= 1, "1 or more"),
        ):
            if not holds:
                msg = f"`{name}` must be {expected}; found {value!r}"
                raise ValueError(msg)
        self.radius = radius
        self.radius_decay = radius_decay
        self.seed = seed
        self.num_directions = num_directions
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self.register_buffer("dead_pairs", torch.zeros((), dtype=torch.int64))

    @property
    @override
    def queries_per_sample(self) -> int:
        return 2 * self.num_directions

    @override
    def reset(self) -> None:
        self.step.zero_()
        self.dead_pairs.zero_()

    @override
    @torch.no_grad()
    def forward(self, theta: Tensor, problem: BlackBoxProblem) -> Estimate:
        step = int(self.step) + 1
        radius = power_decay(self.radius, self.radius_decay, step)
        directions = self._directions(theta, step)
        pairs = evaluate_pairs(theta, problem, directions, radius)
        gradient = _mean_gradient(pairs, directions, radius)
        self.step.fill_(step)
        self.dead_pairs.add_(pairs.dead.sum())
        return Estimate(
            gradient=gradient,
            loss=torch.cat([pairs.plus, pairs.minus]).mean(),
            queries=pairs.queries,
            logs={
                "dead_pairs": self.dead_pairs.clone(),
                "dead_share": 1 - pairs.differing.mean(),
                "dropped_share": 1 - pairs.valid.mean(),
                "pixel_difference": pairs.pixel_difference.mean(),
                "gradient_norm": torch.linalg.vector_norm(gradient),
                "radius": theta.new_tensor(radius),
            },
        )

    def _directions(self, theta: Tensor, step: int) -> Tensor:
        """This step's signs, shape ``(D, P)``."""
        signs = rademacher(self.num_directions * len(theta), self.seed, step)
        return signs.reshape(self.num_directions, -1).to(theta)


def _mean_gradient(pairs: PairLosses, directions: Tensor, radius: float) -> Tensor:
    """Mean estimate over valid pairs; dead pairs count as zero."""
    estimates = torch.stack(
        [
            spsa_gradient(plus, minus, direction, radius)
            for plus, minus, direction in zip(pairs.plus, pairs.minus, directions, strict=True)
        ]
    )
    return torch.where((pairs.differing > 0).unsqueeze(1), estimates, 0.0).mean(dim=0)
