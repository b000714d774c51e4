"""Losses of several versions of the parameters on one batch: one call to the black box."""

from dataclasses import dataclass

import torch
from torch import Tensor

from blackbox_anon.estimators.problem import BlackBoxProblem
from blackbox_anon.mllms.abstract import to_uint8


@dataclass(frozen=True, kw_only=True)
class Population:
    """What ``K`` versions of the parameters cost and gave, averaged over ranks.

    Attributes:
        losses: Mean loss of each version, shape ``(K,)``, in nats, over the samples that the black
            box answered for every version.
        answered: Share of samples that count, a scalar.
        pixel_difference: Mean absolute difference of the 8-bit frames from the first version's, a
            scalar in ``[0, 1]``.
        queries: Queries this process spent.
    """

    losses: Tensor
    answered: Tensor
    pixel_difference: Tensor
    queries: int


def evaluate_population(theta: Tensor, problem: BlackBoxProblem, offsets: Tensor) -> Population:
    """Query the black box at ``theta + offset`` for each offset.

    All versions see the same samples and the same random numbers, so they can be ranked. A sample
    whose question failed for one version is dropped for all.

    Args:
        theta: Parameters, shape ``(P,)``; left unchanged.
        problem: The batch.
        offsets: Shape ``(K, P)``.

    Returns:
        One loss per offset.

    Raises:
        ValueError: If the black box does not return one loss per sample, or a mean loss is not
            finite; the latter on every rank at once.
        TooFewPairsError: If fewer samples were answered than the problem asks for.
    """
    devices = [theta.device] if theta.is_cuda else []
    versions = []
    for offset in offsets:
        with torch.random.fork_rng(devices):
            versions.append(problem.anonymize(theta + offset))
    frames = torch.cat(versions)
    losses = problem.ask(frames)
    losses = losses.to(torch.promote_types(losses.dtype, torch.float32)).view(len(offsets), -1)
    counts = ~losses.isnan().any(0)
    pixels = to_uint8(frames).view(len(offsets), -1).float()
    local = torch.cat(
        [
            torch.where(counts, losses, 0.0).mean(1),
            (counts.sum().to(losses) / len(counts)).view(1),
            ((pixels - pixels[0]).abs().mean() / 255).to(losses).view(1),
        ]
    )
    means = problem.mean_over_ranks(local)
    if not means.isfinite().all():
        msg = f"`problem.losses` must be finite; found means {means[:-2].tolist()}"
        raise ValueError(msg)
    problem.require_valid(means[-2])
    return Population(
        losses=means[:-2] / means[-2],
        answered=means[-2],
        pixel_difference=means[-1],
        queries=len(frames),
    )
