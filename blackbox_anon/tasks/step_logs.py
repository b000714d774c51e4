"""What one training step logs."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from blackbox_anon.estimators.abstract import Estimate
from blackbox_anon.scalarizations.abstract import Scalarized
from blackbox_anon.tasks.failure_log import by_kind

UTILITY, PRIVACY = 0, 1
HEADLINE = ("train/utility_loss", "train/privacy_loss", "train/active", "train/dead_pairs")
"""What of :func:`step_logs` stands in the progress bar."""
SHOWN = ("mllm/queries", "mllm/spent_usd", "mllm/cap_usd", "mllm/failures", "mllm/cache_hits")
"""What of :func:`call_logs` stands in the progress bar."""


def step_logs(
    estimate: Estimate, privacy_loss: Tensor, combined: Scalarized, gradients: Tensor
) -> dict[str, Tensor]:
    """Collect the scalars of a step under ``train/...``.

    Args:
        estimate: The utility objective's estimate.
        privacy_loss: L_privacy, a scalar.
        combined: What the scalarization made of both.
        gradients: The scaled gradients, shape ``(2, P)``.
    """
    norms = gradients.norm(dim=1)
    logs = {
        "utility_loss": estimate.loss,
        "privacy_loss": privacy_loss,
        "utility_distance": combined.distances[UTILITY],
        "privacy_distance": combined.distances[PRIVACY],
        "objective": combined.value,
        "active": combined.active.float(),
        "utility_gradient_norm": norms[UTILITY],
        "privacy_gradient_norm": norms[PRIVACY],
        "combined_gradient_norm": combined.gradient.norm(),
        **estimate.logs,
    }
    return {f"train/{name}": value.float() for name, value in logs.items()}


def frame_logs(seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Collect the scalars of what a step showed under ``train/...``.

    Contrast is that of a clip's first frame: the others look alike, and take as long to look at.

    Args:
        seen: ``raw`` and ``anonymized`` frames, and ``scores``, NaN where a call failed.

    Example:
        >>> frames = torch.zeros(2, 3, 4, 4)
        >>> scores = torch.tensor([1.0, torch.nan])
        >>> logs = frame_logs({"raw": frames, "anonymized": frames, "scores": scores})
        >>> logs["train/utility_score"], logs["train/output_std"]
        (tensor(1.), tensor(0.))
    """
    scores = seen["scores"].float()
    return {
        "train/utility_score": scores[~scores.isnan()].mean(),
        "train/output_std": _mean_std(seen["anonymized"]),
        "train/input_std": _mean_std(seen["raw"]),
    }


def _mean_std(frames: Tensor) -> Tensor:
    """Return the mean standard deviation over pixels, of images or of the first frame of clips."""
    images = frames[:, 0] if frames.ndim == 5 else frames
    pixels = images.float().flatten(-2)
    lengths: Tensor = torch.linalg.vector_norm(pixels - pixels.mean(-1, keepdim=True), dim=-1)
    return lengths.mean() / math.sqrt(pixels.shape[-1] - 1)  # a tenth of the time of `std`


def call_logs(queries: Tensor, failed: Tensor, figures: Mapping[str, float]) -> dict[str, Tensor]:
    """Collect the scalars of the calls so far under ``mllm/...``.

    Args:
        queries: What was asked in training, over all processes.
        failed: What failed of it, by kind, shape ``(len(KINDS),)``.
        figures: What the black box itself counts, on this process.

    Example:
        >>> logs = call_logs(torch.tensor(8), torch.tensor([0, 0, 3, 0, 0, 0]), {"spent_usd": 0.5})
        >>> sorted(logs)
        ['mllm/failed', 'mllm/failed_refusal', 'mllm/queries', 'mllm/spent_usd']
    """
    values = {
        **figures,
        **{f"failed_{kind}": count for kind, count in by_kind(failed).items()},
        "failed": int(failed.sum()),
        "queries": int(queries),
    }
    return {f"mllm/{name}": torch.tensor(float(value)) for name, value in values.items()}
