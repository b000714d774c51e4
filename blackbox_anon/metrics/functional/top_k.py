"""Is the right class among the best k?"""

from typing import Literal

import torch
from torch import Tensor

Ties = Literal["against", "first"]


def top_k_correct(scores: Tensor, labels: Tensor, *, k: int = 1, ties: Ties = "against") -> Tensor:
    """Tell whether the right class has one of the ``k`` highest scores.

    Under ``"against"`` every class that scores as much as the right one is ranked before it, so an
    answer that resembles all classes equally, such as an empty one, is wrong whatever the label.
    Under ``"first"`` equal scores are ranked by class index, as ``argmax`` does.

    Args:
        scores: Class scores, larger is better, shape ``(B, K)``.
        labels: Right classes, shape ``(B,)``, int64.
        k: How many of the best count, from 1 to ``K``.
        ties: How equal scores are ranked.

    Returns:
        Shape ``(B,)``, bool.

    Raises:
        ValueError: If shapes do not fit, a score is NaN, a label is no class, or ``k`` or ``ties``
            is out of range.

    Example:
        >>> scores = torch.tensor([[0.1, 0.7, 0.2], [0.5, 0.5, 0.1]])
        >>> top_k_correct(scores, torch.tensor([1, 0]))
        tensor([ True, False])
        >>> top_k_correct(scores, torch.tensor([1, 0]), ties="first")
        tensor([True, True])
    """
    _check(scores, labels, k, ties)
    labels = labels.to(scores.device)
    own = scores.gather(1, labels.unsqueeze(1))
    before = scores > own
    equal = scores == own
    if ties == "first":
        equal &= torch.arange(scores.shape[1], device=scores.device) <= labels.unsqueeze(1)
    return (before | equal).sum(1) <= k


def _check(scores: Tensor, labels: Tensor, k: int, ties: str) -> None:
    if scores.ndim != 2:
        raise ValueError(f"scores: expected shape (B, K), found {tuple(scores.shape)}.")
    if labels.shape != scores.shape[:1]:
        raise ValueError(f"labels: expected {len(scores)} classes, found {tuple(labels.shape)}.")
    if bool(scores.isnan().any()):
        raise ValueError("scores: expected numbers, found NaN.")
    classes = scores.shape[1]
    if bool(((labels < 0) | (labels >= classes)).any()):
        raise ValueError(f"labels: expected 0 to {classes - 1}, found {labels.tolist()[:5]}.")
    if not 1 <= k <= classes:
        raise ValueError(f"k: expected 1 to {classes}, found {k}.")
    if ties not in ("against", "first"):
        raise ValueError(f"ties: expected 'against' or 'first', found {ties!r}.")
