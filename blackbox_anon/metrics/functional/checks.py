"""What every metric here expects of its two inputs."""

import torch
from torch import Tensor


def check_scores_and_targets(scores: Tensor, targets: Tensor) -> None:
    """Raise unless both are ``(B, A)``, scores are finite and targets are 0 or 1."""
    if scores.ndim != 2:
        raise ValueError(f"scores: expected shape (B, A), found {tuple(scores.shape)}.")
    if targets.shape != scores.shape:
        raise ValueError(
            f"targets: expected the shape of scores, {tuple(scores.shape)}, "
            f"found {tuple(targets.shape)}."
        )
    if not bool(torch.isfinite(scores).all()):
        raise ValueError("scores: expected finite values, found NaN or infinity.")
    check_binary(targets)


def check_binary(targets: Tensor) -> None:
    """Raise unless every value is 0 or 1."""
    if not bool(((targets == 0) | (targets == 1)).all()):
        found = sorted(set(targets.flatten().tolist()) - {0, 1})[:3]
        raise ValueError(f"targets: expected only 0 and 1, found {found}.")
