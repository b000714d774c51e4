"""Spend the queries on the samples that still have something to say."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.arguments import require
from blackbox_anon.estimators.abstract import AbstractEstimator, Estimate
from blackbox_anon.estimators.problem import BlackBoxProblem
from blackbox_anon.estimators.wrapping import AbstractWrappingEstimator


class AdaptiveAllocation(AbstractWrappingEstimator):
    r"""Asks only about some of a batch, those whose loss was high when they were last asked.

    Of ``B`` samples ``n = ceil(share * B)`` are drawn, each with a probability ``pi_b`` that grows
    with its last known loss, and the wrapped estimator gets them as its batch, their losses
    weighted by ``n / (B pi_b)``. Its mean over the drawn ones is then, on average over draws,
    the mean over the batch: what is left out makes the estimate noisier, never biased. A sample
    that was never asked counts as one with the highest known loss.

    Args:
        estimator: Who gets the drawn samples.
        share: Share of a batch that is asked, in ``(0, 1]``.
        floor: Least probability of a sample, as a share of an even draw's, in ``(0, 1]``; it bounds
            the weights by its inverse, and lets a sample that became hard again be noticed.
        memory: Samples remembered, by a digest of their names; those that share a slot share what
            is known, which costs efficiency only.
        seed: Seed of the draws, 0 or more.

    Logs:
        Those of the wrapped estimator, and ``asked_share`` and ``largest_weight``.

    Raises:
        ValueError: If an argument is out of its range, or the problem has no ``names`` or no
            ``subset``.

    Reference:
        "Adaptive scheduling" of Sec. 4.5 of "When Visual Privacy Protection Meets Multimodal Large
        Language Models", IJCV 2026, which gives no rule; sampling with unequal probabilities after
        Madow (1949), weights after Horvitz and Thompson (1952).
    """

    step: Tensor
    losses: Tensor

    def __init__(
        self,
        estimator: AbstractEstimator,
        *,
        share: float = 0.5,
        floor: float = 0.25,
        memory: int = 65536,
        seed: int = 0,
    ) -> None:
        super().__init__(estimator)
        require(
            share=(share, 0 < share <= 1, "in (0, 1]"),
            floor=(floor, 0 < floor <= 1, "in (0, 1]"),
            memory=(memory, memory >= 1, "1 or more"),
            seed=(seed, seed >= 0, "0 or more"),
        )
        self.share, self.floor, self.seed = share, floor, seed
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self.register_buffer("losses", torch.full((memory,), torch.nan))

    @override
    def reset(self) -> None:
        self.step.zero_()
        self.losses.fill_(torch.nan)
        super().reset()

    @override
    def forward(self, theta: Tensor, problem: BlackBoxProblem) -> Estimate:
        if problem.names is None or problem.subset is None:
            msg = "`problem` must have `names` and `subset` to be asked in part; found None"
            raise ValueError(msg)
        slots = self._slots(problem.names)
        count = math.ceil(self.share * len(slots))
        chances = inclusion_probabilities(self._known(slots), count, self.floor)
        drawn = systematic_sample(chances, self._offset())
        weights = count / (len(slots) * chances[drawn])
        part, seen = problem.subset(drawn.to(theta.device)), torch.zeros(count)

        def losses(frames: Tensor) -> Tensor:
            found = part.losses(frames)
            versions = found.view(-1, count)
            seen.copy_(versions.mean(0))
            return (versions * weights.to(versions)).flatten()

        found: Estimate = self.estimator(theta, replace(part, losses=losses, parts=None))
        self.step += 1
        kept = seen.isfinite()
        self.losses[slots[drawn[kept]].to(self.losses.device)] = seen[kept].to(self.losses)
        shares = {"asked_share": count / len(slots), "largest_weight": float(weights.max())}
        logs = found.logs | {name: theta.new_tensor(value) for name, value in shares.items()}
        return replace(found, logs=logs)

    def _slots(self, names: Sequence[str]) -> Tensor:
        digests = [hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names]
        return torch.tensor([int.from_bytes(d, "big") % len(self.losses) for d in digests])

    def _known(self, slots: Tensor) -> Tensor:
        """Last known losses, on the CPU; the highest for samples never asked."""
        known = self.losses[slots.to(self.losses.device)].cpu().double()
        highest = self.losses.nan_to_num(0.0).max().cpu().double()
        return torch.where(known.isnan(), highest, known).clamp_min(0)

    def _offset(self) -> float:
        """Uniform in [0, 1), from the seed and the step alone."""
        mixed = np.random.SeedSequence((self.seed, int(self.step))).generate_state(1)[0]
        return float(mixed) / 2**32


def inclusion_probabilities(scores: Tensor, count: int, floor: float) -> Tensor:
    """Share ``count`` draws among samples by their scores, none above 1.

    Args:
        scores: Shape ``(B,)``, 0 or more.
        count: Samples to draw, at most ``B``.
        floor: Share of the draws that is spread evenly, in ``(0, 1]``.

    Returns:
        Probabilities, shape ``(B,)``, float64, each at least ``floor * count / B``, summing to
        ``count``.

    Example:
        >>> inclusion_probabilities(torch.tensor([3.0, 1.0, 0.0, 0.0]), 2, floor=0.5).tolist()
        [1.0, 0.5, 0.25, 0.25]
    """
    scores = scores.double()
    even = torch.full_like(scores, count / len(scores))
    if not scores.any():
        return even
    low = floor * even
    chances = low + (count - low.sum()) * scores / scores.sum()
    for _ in range(len(scores)):  # what a certain sample has too much goes to the others
        over = chances > 1
        if not over.any():
            break
        spare = (chances[over] - 1).sum()
        chances = chances.clamp_max(1)
        room = torch.where(chances < 1, chances, 0.0)
        chances = chances + spare * room / room.sum().clamp_min(1e-300)
    return chances.clamp_max(1)


def systematic_sample(chances: Tensor, offset: float) -> Tensor:
    """Draw with unequal probabilities and a fixed number of draws.

    Args:
        chances: Inclusion probabilities, shape ``(B,)``, summing to a whole number ``n``.
        offset: Uniform in ``[0, 1)``.

    Returns:
        ``n`` different indices, ascending; index ``b`` is among them with its probability.

    Example:
        >>> systematic_sample(torch.tensor([0.5, 0.5, 1.0]), 0.7)
        tensor([1, 2])
    """
    count = round(float(chances.sum()))
    marks = torch.arange(count, dtype=torch.float64) + offset
    edges = chances.double().cumsum(0)
    edges[-1] = count  # not a hair less
    return torch.searchsorted(edges, marks, right=True)
