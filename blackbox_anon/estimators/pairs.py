"""Losses of antithetic pairs: one call to the black box, one collective."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from blackbox_anon.estimators.later import Later
from blackbox_anon.estimators.problem import BlackBoxProblem
from blackbox_anon.mllms.abstract import to_uint8


@dataclass(frozen=True, kw_only=True)
class PairLosses:
    """What ``D`` pairs of perturbed parameters cost and gave, averaged over ranks.

    A sample makes one pair per direction; it is valid if neither half failed. Per direction, sums
    over its valid pairs are divided by the mean number of valid pairs of a direction. So the mean
    over directions is the mean over all valid pairs, and a direction that lost more weighs less.
    Where nothing failed, each entry is the mean over samples.

    Attributes:
        plus: Loss at ``theta + radius * direction``, shape ``(D,)``, in nats.
        minus: Loss at ``theta - radius * direction``, shape ``(D,)``, in nats.
        differing: Share of valid pairs whose two losses differ, shape ``(D,)``. A dead pair has
            exactly 0 and tells nothing about its direction.
        valid: Share of pairs that are valid, shape ``(D,)``; 1 where nothing failed.
        pixel_difference: Mean absolute difference of the 8-bit frames, shape ``(D,)``, in
            ``[0, 1]``. At 0 the black box received the same images twice.
        queries: Queries this process spent.
    """

    plus: Tensor
    minus: Tensor
    differing: Tensor
    valid: Tensor
    pixel_difference: Tensor
    queries: int

    @property
    def dead(self) -> Tensor:
        """Which directions have valid pairs, all of them without a difference, shape ``(D,)``."""
        return (self.differing == 0) & (self.valid > 0)


def evaluate_pairs(
    theta: Tensor, problem: BlackBoxProblem, directions: Tensor, radius: float
) -> PairLosses:
    """Query the black box on both sides of ``theta`` along each direction.

    All ``2 * D`` versions of the batch go to the black box in one call, or as soon as they are
    made, and cost ``2 * D * B`` queries in all. They are anonymized with the same random numbers,
    so a pair differs by its parameters only. Losses are averaged over ranks before any difference
    is taken. A failed half (a loss of NaN) takes the other one with it; each rank's batch weighs
    the same, whatever failed in it.

    Args:
        theta: Parameters, shape ``(P,)``; left unchanged.
        problem: The batch.
        directions: Perturbations, shape ``(D, P)``.
        radius: Perturbation radius, in parameter units.

    Returns:
        One entry per direction.

    Raises:
        ValueError: If the black box does not return one loss per sample, or a mean loss is not
            finite; the latter on every rank at once.
        TooFewPairsError: If fewer pairs are valid than the problem asks for; on every rank at once.
    """
    offsets = radius * directions
    offsets = torch.cat([offsets, -offsets])
    pixels: list[Later[Tensor]] = []
    made: list[Tensor] = []  # of the part at hand

    def make(part: BlackBoxProblem, index: int) -> Tensor:
        last = index + 1 == len(offsets)
        frames = _anonymize(part, theta + offsets[index], keep_state=not last)
        made.append(frames)
        if last:
            versions = made.copy()
            made.clear()
            pixels.append(part.later(lambda: _pixel_difference(versions)))
        return frames.unsqueeze(0)

    losses = problem.ask_made(*(partial(make, index=index) for index in range(len(offsets))))
    # A mean of bf16 losses would round away the difference, which is about 1e-3.
    losses = losses.to(torch.promote_types(losses.dtype, torch.float32))
    pairs = losses.view(2, len(directions), -1)
    valid = ~pairs.isnan().any(dim=0)
    plus, minus = torch.where(valid, pairs, 0.0)
    local = torch.stack(
        [
            plus.mean(dim=1),
            minus.mean(dim=1),
            (plus != minus).to(losses.dtype).mean(dim=1),
            torch.cat([found() for found in pixels], dim=1).mean(dim=1).to(losses.dtype),
            valid.sum(dim=1).to(losses.dtype) / valid.shape[1],
        ]
    )
    means = problem.mean_over_ranks(local)
    if not means.isfinite().all():
        msg = f"`problem.losses` must be finite; found means {means[:2].tolist()}"
        raise ValueError(msg)
    share = means[4].sum() / len(directions)  # 1 if nothing failed: dividing by it changes no bit
    problem.require_valid(share)
    return PairLosses(
        plus=means[0] / share,
        minus=means[1] / share,
        differing=means[2] / share,
        valid=means[4],
        pixel_difference=means[3],
        queries=losses.numel(),
    )


def _anonymize(problem: BlackBoxProblem, theta: Tensor, *, keep_state: bool) -> Tensor:
    """Anonymize, and leave the global random state as it was, or not."""
    with torch.random.fork_rng([theta.device] if theta.is_cuda else [], enabled=keep_state):
        return problem.anonymize(theta)


def _pixel_difference(versions: Sequence[Tensor]) -> Tensor:
    """Mean absolute difference within each pair, as the service would see it, shape ``(D, b)``."""
    plus, minus = to_uint8(torch.stack(list(versions))).flatten(2).chunk(2)
    return (torch.maximum(plus, minus) - torch.minimum(plus, minus)).float().mean(dim=2) / 255
