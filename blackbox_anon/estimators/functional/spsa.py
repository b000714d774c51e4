"""Simultaneous perturbation stochastic approximation."""

from jaxtyping import Float
from torch import Tensor


def spsa_gradient(
    loss_plus: Float[Tensor, ""],
    loss_minus: Float[Tensor, ""],
    direction: Float[Tensor, " P"],
    radius: float,
) -> Float[Tensor, " P"]:
    r"""Estimate a gradient from one pair of losses.

    .. math:: \hat g_k = \frac{L(\theta + c_k \Delta_k) - L(\theta - c_k \Delta_k)}{2 c_k \Delta_k}

    The division by the direction is elementwise. For signs it equals multiplication; for any other
    distribution only division is unbiased to first order.

    Args:
        loss_plus: Loss at ``theta + radius * direction``, a scalar, in nats.
        loss_minus: Loss at ``theta - radius * direction``, a scalar, in nats.
        direction: Perturbation, shape ``(P,)``, no entry zero.
        radius: Perturbation radius ``c_k``, positive, in parameter units.

    Returns:
        The estimate, shape ``(P,)``, in nats per parameter unit and in the direction's dtype.

    Raises:
        ValueError: If ``radius`` is not positive.

    Example:
        >>> import torch
        >>> direction = torch.tensor([1.0, -1.0])
        >>> spsa_gradient(torch.tensor(1.5), torch.tensor(0.5), direction, radius=0.5)
        tensor([ 1., -1.])

    Reference:
        Eq. 7 of "When Visual Privacy Protection Meets Multimodal Large Language Models", IJCV 2026;
        Eq. 2.2 of `SPSA (IEEE TAC, 1992) <https://doi.org/10.1109/9.119632>`_.
    """
    if radius <= 0:
        msg = f"`radius` must be positive; found {radius}"
        raise ValueError(msg)
    return (loss_plus - loss_minus) / (2 * radius) / direction
