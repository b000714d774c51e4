"""How far a model's answers are from those that were paid for."""

import math

import torch
from torch import Tensor
from torch.nn import functional


def misfit(logits: Tensor, labels: Tensor, losses: Tensor) -> Tensor:
    r"""Return how far a surrogate is from the losses that the black box was found to have.

    .. math:: p \log\frac{p}{q} + (1 - p) \log\frac{1 - p}{1 - q}, \qquad p = e^{-L}

    Args:
        logits: The surrogate's, shape ``(n, K)``; ``q`` is what their softmax gives to the label.
        labels: Index of the right class, shape ``(n,)``.
        losses: The black box's cross-entropies ``L``, shape ``(n,)``, in nats.

    Returns:
        Divergences, shape ``(n,)``, in nats.

    Example:
        >>> logits, labels = torch.tensor([[0.0, 0.0], [0.0, 0.0]]), torch.tensor([0, 1])
        >>> misfit(logits, labels, torch.tensor([0.6931, 0.1]))
        tensor([0.0000, 0.3788])
    """
    right = functional.one_hot(labels, logits.shape[1]).bool()
    scores = logits.log_softmax(1)
    own, others = scores[right], scores.masked_fill(right, -math.inf).logsumexp(1)
    told = torch.exp(-losses).clamp(0, 1)
    entropy = -torch.special.xlogy(told, told) - torch.special.xlogy(1 - told, 1 - told)
    found: Tensor = -(told * own + (1 - told) * others) - entropy
    return found
