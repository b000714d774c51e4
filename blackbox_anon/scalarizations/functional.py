"""The scalarizations' mathematics as pure functions.

Equation numbers are those of "When Visual Privacy Protection Meets Multimodal Large Language
Models" (IJCV 2026). ``N`` is the number of objectives, 2 in the paper.

Example:
    >>> weights, values = torch.tensor([0.5, 0.5]), torch.tensor([2.0, 1.0])
    >>> weighted_distances(values, values, weights, margin=0.1)
    tensor([0.1000, 0.0500])
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def weighted_distances(
    values: Float[Tensor, " N"],
    ideal: Float[Tensor, " N"],
    weights: Float[Tensor, " N"],
    margin: float,
) -> Float[Tensor, " N"]:
    r"""Measure how far each objective is from its unreachable ideal.

    .. math:: \lambda_i \bigl(L_i - (z_i^* - \varepsilon_i)\bigr), \qquad
        \varepsilon_i = \text{margin} \cdot |z_i^*|

    The paper sets the margin to 0.1 of the ideal value. The absolute value keeps the ideal
    unreachable when an objective is negative; for the paper's objectives it changes nothing.

    Args:
        values: Losses ``L_i``, shape ``(N,)``.
        ideal: Ideal values ``z_i^*``, shape ``(N,)``.
        weights: Weights ``lambda_i``, shape ``(N,)``.
        margin: Relative margin, 0 or more.

    Returns:
        Weighted distances, shape ``(N,)``.

    Example:
        >>> half = torch.tensor([0.5, 0.5])
        >>> weighted_distances(torch.tensor([4.0, 1.0]), torch.tensor([2.0, 1.0]), half, margin=0.1)
        tensor([1.1000, 0.0500])

    Reference:
        The terms of Eq. 5, and Appendix E, of "When Visual Privacy Protection Meets Multimodal
        Large Language Models", IJCV 2026.
    """
    return weights * (values - (ideal - margin * ideal.abs()))


def weighted_sum(
    weights: Float[Tensor, " N"], terms: Float[Tensor, "N ..."]
) -> Float[Tensor, "..."]:
    r"""Sum losses or gradients by their weights.

    .. math:: \sum_i \lambda_i L_i

    Args:
        weights: Weights ``lambda_i``, shape ``(N,)``.
        terms: Losses, shape ``(N,)``, or gradients, shape ``(N, P)``.

    Returns:
        The weighted sum, a scalar or shape ``(P,)``.

    Example:
        >>> weighted_sum(torch.tensor([0.5, 0.5]), torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
        tensor([0.5000, 1.0000])

    Reference:
        Eq. 4 of "When Visual Privacy Protection Meets Multimodal Large Language Models", IJCV 2026.
    """
    total: Tensor = torch.tensordot(weights, terms, dims=1)
    return total


def tchebycheff_gradient(
    weights: Float[Tensor, " N"], gradients: Float[Tensor, "N P"], active: Int[Tensor, ""]
) -> Float[Tensor, " P"]:
    r"""Gradient of the largest weighted distance.

    .. math:: \lambda_{i_{max}} \nabla L_{i_{max}}

    Args:
        weights: Weights ``lambda_i``, shape ``(N,)``.
        gradients: One row per objective, shape ``(N, P)``.
        active: Index ``i_max`` of the objective with the largest distance, a scalar.

    Returns:
        The gradient, shape ``(P,)``.

    Example:
        >>> gradients = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
        >>> tchebycheff_gradient(torch.tensor([0.5, 0.5]), gradients, torch.tensor(1))
        tensor([0., 1.])

    Reference:
        Eq. 5 of "When Visual Privacy Protection Meets Multimodal Large Language Models", IJCV 2026.
    """
    row = active.reshape(1)  # a scalar index would be read on the host
    return (weights.index_select(0, row) * gradients.index_select(0, row).squeeze(0)).squeeze(0)


def augmented_tchebycheff_gradient(
    weights: Float[Tensor, " N"],
    gradients: Float[Tensor, "N P"],
    active: Int[Tensor, ""],
    augmentation: float,
) -> Float[Tensor, " P"]:
    r"""Gradient of the largest weighted distance plus a small weighted sum.

    .. math:: \lambda_{i_{max}} g_{i_{max}} + \sigma \sum_i \lambda_i g_i

    In the paper ``g_1`` is ``(1 + I_k)`` times the enhanced gradient and ``g_2`` the exact privacy
    gradient.

    Args:
        weights: Weights ``lambda_i``, shape ``(N,)``.
        gradients: One row per objective, shape ``(N, P)``.
        active: Index ``i_max`` of the objective with the largest distance, a scalar.
        augmentation: Factor ``sigma`` of the weighted sum, 0 or more.

    Returns:
        The gradient, shape ``(P,)``.

    Example:
        >>> gradients, first = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor(0)
        >>> augmented_tchebycheff_gradient(torch.tensor([0.5, 0.5]), gradients, first, 0.1)
        tensor([0.5500, 0.1000])

    Reference:
        Eqs. 6 and 11 of "When Visual Privacy Protection Meets Multimodal Large Language Models",
        IJCV 2026.
    """
    largest = tchebycheff_gradient(weights, gradients, active)
    return largest + augmentation * weighted_sum(weights, gradients)
