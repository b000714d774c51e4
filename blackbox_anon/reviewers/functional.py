"""L_privacy as pure functions of the reviewer's logits."""

import math

from torch import Tensor
from torch.nn import functional


def entropy_gap(logits: Tensor) -> Tensor:
    r"""Return ``log 2 - H(p)`` averaged over attributes and samples.

    .. math:: \frac{1}{BA} \sum \log 2 + p \log p + (1 - p) \log (1 - p)

    Args:
        logits: ``(B, A)``.

    Returns:
        A scalar in nats, in ``[0, log 2]``; 0 when every probability is one half.

    Example:
        >>> import torch
        >>> entropy_gap(torch.zeros(2, 7)).abs().item() < 1e-6
        True

    Reference:
        The entropy form of Wu et al., TPAMI 2020, shifted by ``log 2`` so that it is non-negative:
        the ideal point's margin ``0.1 * z*`` changes sign otherwise.
    """
    p = logits.sigmoid()
    entropy = functional.softplus(logits) - p * logits
    return (math.log(2) - entropy).clamp_min(0).mean()


def cross_entropy_to_half(logits: Tensor) -> Tensor:
    r"""Return the cross-entropy to one half, averaged over attributes and samples.

    .. math:: -\frac{1}{2BA} \sum \log p + \log (1 - p)

    Args:
        logits: ``(B, A)``.

    Returns:
        A scalar in nats, at least ``log 2``, which it is when every probability is one half. Unlike
        :func:`entropy_gap` its gradient grows with confidence and never saturates.

    Reference:
        The "uniform" form of Wu et al., TPAMI 2020.
    """
    return (functional.softplus(logits) - 0.5 * logits).mean()
