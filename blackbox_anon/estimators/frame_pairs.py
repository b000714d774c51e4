"""Pairs of shifted frames: their losses, and the estimate that comes of them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from blackbox_anon.estimators.abstract import Estimate
from blackbox_anon.estimators.critical_history import CriticalHistory
from blackbox_anon.estimators.later import Later
from blackbox_anon.estimators.problem import BlackBoxProblem
from blackbox_anon.mllms.abstract import to_uint8


@dataclass(frozen=True, kw_only=True)
class FramePairs:
    """What ``D`` pairs of versions of a batch gave, on this process alone.

    Attributes:
        slopes: Loss of the first version minus loss of the second, shape ``(D, B)``, in nats; 0
            where either half failed.
        valid: Whether neither half failed, shape ``(D, B)``.
        means: Mean loss, share of pairs that differ, mean absolute difference of the 8-bit frames,
            share of valid pairs; shape ``(4,)``. Failed pairs count as zeros.
        queries: Queries spent.
    """

    slopes: Tensor
    valid: Tensor
    means: Tensor
    queries: int


def ask_frames(versions: Tensor, problem: BlackBoxProblem) -> FramePairs:
    """Ask about both versions of every pair, in one call to the black box.

    Args:
        versions: Shape ``(2, D, B, ..., 3, H, W)``, in ``[0, 1]``.
        problem: The batch.

    Returns:
        The pairs; a failed half (a loss of NaN) takes the other one with it.

    Raises:
        ValueError: If the black box does not return one loss per version.
    """
    return ask_made_frames(lambda _: versions, replace(problem, parts=None))


def ask_made_frames(
    make: Callable[[BlackBoxProblem], Tensor], problem: BlackBoxProblem
) -> FramePairs:
    """Make both versions of every pair and ask about them, see :meth:`BlackBoxProblem.ask_made`.

    Args:
        make: From a problem with ``b`` samples to their versions, shape
            ``(2, D, b, ..., 3, H, W)``.
        problem: The batch.

    Returns:
        As :func:`ask_frames` does.
    """
    pixels: list[Later[Tensor]] = []

    def make_flat(part: BlackBoxProblem) -> Tensor:
        versions = make(part)
        pixels.append(part.later(lambda: _pixel_difference(versions)))
        return versions.flatten(0, 1)

    losses = problem.ask_made(make_flat)
    losses = losses.to(torch.promote_types(losses.dtype, torch.float32))
    pairs = losses.view(2, -1, losses.shape[1])
    valid = ~pairs.isnan().any(dim=0)
    plus, minus = torch.where(valid, pairs, 0.0)
    means = [
        (plus + minus).mean() / 2,
        (plus != minus).to(plus).mean(),
        torch.cat([found() for found in pixels]).mean().to(plus),
        valid.sum().to(plus) / valid.numel(),
    ]
    return FramePairs(
        slopes=plus - minus, valid=valid, means=torch.stack(means), queries=losses.numel()
    )


def _pixel_difference(versions: Tensor) -> Tensor:
    """Return the mean absolute difference of a part's pairs, per sample, as a service sees it."""
    plus, minus = to_uint8(versions)
    apart = (torch.maximum(plus, minus) - torch.minimum(plus, minus)).transpose(0, 1).flatten(1)
    return apart.float().mean(dim=1) / 255


def conclude(
    gradient: Tensor,
    pairs: FramePairs,
    problem: BlackBoxProblem,
    *,
    step: int,
    dead_pairs: Tensor,
    history: CriticalHistory | None,
) -> Estimate:
    """Average over ranks and valid pairs, let the history correct the gradient, and log.

    Args:
        gradient: Mean over this process's pairs, failed ones as zeros, shape ``(P,)``.
        pairs: What was asked.
        problem: The batch.
        step: Number of this step.
        dead_pairs: Counter of steps without a differing pair; counted up where this is one.
        history: Critical history, or ``None``.

    Returns:
        The estimate.

    Raises:
        ValueError: If the mean loss is not finite.
        TooFewPairsError: If fewer pairs are valid than the problem asks for.
    """
    gradient = problem.mean_over_ranks(gradient)
    loss, differing, pixels, share = problem.mean_over_ranks(pairs.means)
    if not torch.isfinite(loss):
        msg = f"`problem.losses` must be finite; found a mean of {loss.item()}"
        raise ValueError(msg)
    problem.require_valid(share)
    # The share is 1 if nothing failed: dividing by it changes no bit.
    gradient, loss, differing = gradient / share.to(gradient), loss / share, differing / share
    dead_pairs += (differing == 0).to(dead_pairs)
    logs = {
        "dead_pairs": dead_pairs.clone(),
        "dead_share": 1 - differing,
        "dropped_share": 1 - share,
        "pixel_difference": pixels,
        "gradient_norm": torch.linalg.vector_norm(gradient),
    }
    if history is not None:
        enhanced = history(gradient, step)
        gradient = (1 + enhanced.indicator) * enhanced.gradient
        logs |= {
            "indicator": enhanced.indicator,
            "cosine": enhanced.cosine,
            "history_age": enhanced.age,
        }
    return Estimate(gradient=gradient, loss=loss, queries=pairs.queries, logs=logs)
