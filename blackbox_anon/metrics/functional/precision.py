"""Thresholded precision per attribute, and its mean."""

from typing import Literal

import torch
from torch import Tensor

from blackbox_anon.metrics.functional.checks import check_scores_and_targets

NeverPredicted = Literal["zero", "skip"]


def precision_per_attribute(scores: Tensor, targets: Tensor, *, threshold: float = 0.5) -> Tensor:
    r"""Precision of each attribute at one threshold; for the privacy side lower is better.

    .. math:: P_a = \frac{TP_a}{TP_a + FP_a}

    Args:
        scores: The attacker's scores, shape ``(B, A)``.
        targets: 1 where the attribute is present, else 0, shape ``(B, A)``.
        threshold: A score strictly above it predicts the attribute.

    Returns:
        Shape ``(A,)``, float64; NaN for an attribute that is never predicted. An attribute that
        never occurs but is predicted gets 0, as the formula says.

    Raises:
        ValueError: If the shapes differ, a score is not finite, or a target is not 0 or 1.

    Example:
        >>> scores = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.3, 0.3]])
        >>> precision_per_attribute(scores, torch.tensor([[1, 0], [0, 0], [1, 1]]))
        tensor([0.5000,    nan], dtype=torch.float64)
    """
    true_positives, predicted = count_predictions(scores, targets, threshold=threshold)
    return true_positives.to(torch.float64) / predicted


def class_mean_precision(
    scores: Tensor,
    targets: Tensor,
    *,
    threshold: float = 0.5,
    never_predicted: NeverPredicted = "zero",
) -> Tensor:
    """Mean of :func:`precision_per_attribute`, the paper's printed cMAP formula.

    It is not comparable with average precision and has no fixed chance level: an attacker that
    predicts nothing scores 0 under ``"zero"``. Report it beside, never in place of,
    :func:`~blackbox_anon.metrics.functional.class_mean_average_precision`.

    Args:
        scores: The attacker's scores, shape ``(B, A)``.
        targets: 1 where the attribute is present, else 0, shape ``(B, A)``.
        threshold: A score strictly above it predicts the attribute.
        never_predicted: An attribute never predicted counts as 0, or is left out of the mean.

    Returns:
        A scalar, float64; NaN if every attribute is left out.

    Example:
        >>> scores = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.3, 0.3]])
        >>> class_mean_precision(scores, torch.tensor([[1, 0], [0, 0], [1, 1]]))
        tensor(0.2500, dtype=torch.float64)
    """
    check_never_predicted(never_predicted)
    precision = precision_per_attribute(scores, targets, threshold=threshold)
    return mean_precision(precision, never_predicted)


def count_predictions(
    scores: Tensor, targets: Tensor, *, threshold: float
) -> tuple[Tensor, Tensor]:
    """Count true positives and all predicted positives, each ``(A,)``, int64."""
    check_scores_and_targets(scores, targets)
    predicted = scores > threshold
    return (predicted & targets.bool()).sum(0), predicted.sum(0)


def mean_precision(precision: Tensor, never_predicted: NeverPredicted) -> Tensor:
    """Average ``(A,)`` precisions in which NaN marks an attribute never predicted."""
    return precision.nan_to_num(0.0).mean() if never_predicted == "zero" else precision.nanmean()


def check_never_predicted(never_predicted: str) -> None:
    """Raise unless the choice is a known one."""
    if never_predicted not in ("zero", "skip"):
        raise ValueError(f"never_predicted: expected 'zero' or 'skip', found {never_predicted!r}.")
