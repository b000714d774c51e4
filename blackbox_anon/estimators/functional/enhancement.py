"""How past gradients change the direction and the size of a step."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor


def enhance_gradient(
    gradient: Float[Tensor, " P"],
    history: Float[Tensor, "M P"],
    count: Int[Tensor, ""],
    mixing: float,
) -> Float[Tensor, " P"]:
    r"""Mix the current gradient with the stored ones.

    .. math::
        \tilde g_k = \gamma \hat g_k + \frac{1 - \gamma}{m} \sum C_g, \qquad \tilde g_1 = \hat g_1

    The sum is divided by the capacity ``m``, not by the number stored, so a set that is not full
    weighs less. An empty set leaves the gradient as it is.

    Args:
        gradient: Current estimate, shape ``(P,)``.
        history: Stored gradients, shape ``(M, P)``; rows of free slots are zero.
        count: Number of stored gradients, a scalar.
        mixing: Share ``gamma`` of the current gradient, in ``[0, 1]``.

    Returns:
        The enhanced gradient, shape ``(P,)``.

    Example:
        >>> history = torch.tensor([[2.0, 4.0], [0.0, 0.0]])
        >>> enhance_gradient(torch.tensor([1.0, 0.0]), history, torch.tensor(1), mixing=0.5)
        tensor([1., 1.])

    Reference:
        Eq. 9 of "When Visual Privacy Protection Meets Multimodal Large Language Models", IJCV 2026.
    """
    mixture = mixing * gradient + (1 - mixing) / len(history) * history.sum(dim=0)
    return torch.where(count == 0, gradient, mixture)


def guarded_cosine(first: Float[Tensor, " P"], second: Float[Tensor, " P"]) -> Float[Tensor, ""]:
    """Cosine of the angle between two vectors; 0 if either of them is zero.

    Args:
        first: Shape ``(P,)``.
        second: Shape ``(P,)``.

    Returns:
        The cosine, a scalar in ``[-1, 1]``.

    Example:
        >>> guarded_cosine(torch.tensor([3.0, 4.0]), torch.tensor([3.0, 0.0]))
        tensor(0.6000)
        >>> guarded_cosine(torch.tensor([3.0, 4.0]), torch.zeros(2))
        tensor(0.)
    """
    return torch.dot(_unit(first), _unit(second)).clamp(-1, 1)


def _unit(vector: Float[Tensor, " P"]) -> Float[Tensor, " P"]:
    """Scale to length 1; zero stays zero. Scaled by the largest entry first, against underflow."""
    tiny = torch.finfo(vector.dtype).tiny
    scaled = vector / vector.abs().amax().clamp(min=tiny)
    norm: Tensor = torch.linalg.vector_norm(scaled)
    return scaled / norm.clamp(min=tiny)


def step_indicator(
    gradient: Float[Tensor, " P"], enhanced: Float[Tensor, " P"], magnitude: float
) -> Float[Tensor, ""]:
    r"""Judge a step by the angle between the estimated and the enhanced gradient.

    .. math:: I_k = \frac{b}{\pi} \arctan(2 \pi \cos \varphi_k)

    The step size becomes ``(1 + I_k) * a_k``. The largest value is
    ``magnitude / pi * arctan(2 * pi)``, 0.45 of the magnitude.

    Args:
        gradient: Current estimate, shape ``(P,)``.
        enhanced: The same after :func:`enhance_gradient`, shape ``(P,)``.
        magnitude: Factor ``b``, in ``[0, 2)``.

    Returns:
        The indicator, a scalar; 0 if either vector is zero.

    Example:
        >>> step_indicator(torch.ones(2), torch.ones(2), magnitude=0.3)
        tensor(0.1349)
        >>> step_indicator(torch.zeros(2), torch.ones(2), magnitude=0.3)
        tensor(0.)

    Reference:
        Eq. 10 of "When Visual Privacy Protection Meets Multimodal Large Language Models",
        IJCV 2026.
    """
    cosine = guarded_cosine(gradient, enhanced)
    return magnitude / math.pi * torch.arctan(2 * math.pi * cosine)
