"""Average precision per attribute, its mean, and what chance would score."""

import torch
from torch import Tensor

from blackbox_anon.metrics.functional.checks import check_binary, check_scores_and_targets


def average_precision_per_attribute(scores: Tensor, targets: Tensor) -> Tensor:
    r"""Average precision of each attribute from scores; for the privacy side lower is better.

    .. math:: \mathrm{AP} = \sum_n (R_n - R_{n-1})\,P_n

    over the distinct thresholds, without interpolation. This is the mean, over the samples that
    have the attribute, of the precision at their own score; equal scores share one threshold.

    Args:
        scores: The attacker's scores, any monotone scale, shape ``(B, A)``.
        targets: 1 where the attribute is present, else 0, shape ``(B, A)``.

    Returns:
        One value per attribute in ``[0, 1]``, shape ``(A,)``, float64; NaN for an attribute that
        never occurs in ``targets``. One that always occurs gets 1, which is its chance level.

    Raises:
        ValueError: If the shapes differ, a score is not finite, or a target is not 0 or 1.

    Example:
        >>> scores = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.3, 0.3]])
        >>> targets = torch.tensor([[1, 0], [0, 0], [1, 0]])
        >>> average_precision_per_attribute(scores, targets)
        tensor([0.8333,    nan], dtype=torch.float64)
    """
    check_scores_and_targets(scores, targets)
    ascending, order = scores.detach().T.contiguous().sort(dim=1)
    positives = targets.detach().T.gather(1, order).to(torch.float64)
    # Everything from the first equal score upwards is predicted positive at that score.
    first_equal = torch.searchsorted(ascending, ascending)
    predicted = ascending.shape[1] - first_equal
    hits = positives.flip(1).cumsum(1).flip(1).gather(1, first_equal)
    return (positives * hits / predicted).sum(1) / positives.sum(1)


def class_mean_average_precision(scores: Tensor, targets: Tensor) -> Tensor:
    """Mean of :func:`average_precision_per_attribute`, the field's cMAP; lower is more private.

    Args:
        scores: The attacker's scores, shape ``(B, A)``.
        targets: 1 where the attribute is present, else 0, shape ``(B, A)``.

    Returns:
        A scalar, float64. Attributes that never occur are left out of the mean (counting them as
        zero would make an attacker look weak); NaN if none occurs.

    Example:
        >>> scores = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.3, 0.3]])
        >>> class_mean_average_precision(scores, torch.tensor([[1, 0], [0, 0], [1, 0]]))
        tensor(0.8333, dtype=torch.float64)
    """
    return average_precision_per_attribute(scores, targets).nanmean()


def chance_average_precision(targets: Tensor) -> Tensor:
    """Average precision of an attacker that learned nothing: each attribute's prevalence.

    Args:
        targets: 1 where the attribute is present, else 0, shape ``(B, A)``.

    Returns:
        Shape ``(A,)``, float64; NaN for an attribute that never occurs, so that ``nanmean`` runs
        over the same attributes as :func:`class_mean_average_precision`.

    Raises:
        ValueError: If the shape is not ``(B, A)`` or a target is not 0 or 1.

    Example:
        >>> chance_average_precision(torch.tensor([[1, 0], [0, 0], [1, 0], [0, 0]]))
        tensor([0.5000,    nan], dtype=torch.float64)
    """
    if targets.ndim != 2:
        raise ValueError(f"targets: expected shape (B, A), found {tuple(targets.shape)}.")
    check_binary(targets)
    prevalence = targets.to(torch.float64).mean(0)
    return prevalence.masked_fill(prevalence == 0, torch.nan)
