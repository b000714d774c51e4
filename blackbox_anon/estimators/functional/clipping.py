"""Heavy tails cut."""

from jaxtyping import Bool, Float
from torch import Tensor


def clip_to_quantile(
    values: Float[Tensor, " B"], quantile: float, valid: Bool[Tensor, " B"]
) -> Float[Tensor, " B"]:
    """Cut values to a quantile of their own magnitudes.

    Args:
        values: Shape ``(B,)``.
        quantile: In ``(0, 1]``; 1 returns the values as they are.
        valid: Which values the quantile is taken of, shape ``(B,)``; all are cut to it.

    Returns:
        The values with their signs, none longer than the quantile; shape ``(B,)``.

    Example:
        >>> import torch
        >>> slopes, valid = torch.tensor([1.0, -2.0, 50.0, 0.0]), torch.tensor([True] * 3 + [False])
        >>> clip_to_quantile(slopes, 0.5, valid)
        tensor([ 1., -2.,  2.,  0.])
    """
    if quantile == 1 or not valid.any():
        return values
    bound = values[valid].abs().quantile(quantile)
    return values.clamp(-bound, bound)
