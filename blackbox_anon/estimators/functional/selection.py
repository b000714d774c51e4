"""Which of the past gradients are kept."""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor


def importance_scores(
    gradients: Float[Tensor, "M P"], steps: Int[Tensor, " M"], step: int, decay: float
) -> Float[Tensor, " M"]:
    r"""Score past gradients by their norm, faded by age.

    .. math:: s_{t_i} = d^{\,k - t_i}\, \lVert \hat g_{t_i} \rVert_2

    Args:
        gradients: Gradients as they were estimated, shape ``(M, P)``.
        steps: Step ``t_i`` of each, shape ``(M,)``.
        step: Current step ``k``.
        decay: Decay factor ``d``, in ``(0, 1]``.

    Returns:
        Scores, shape ``(M,)``, in the gradients' unit. A row of zeros scores zero.

    Example:
        >>> gradients = torch.tensor([[3.0, 4.0], [0.0, 1.0]])
        >>> importance_scores(gradients, torch.tensor([1, 3]), step=3, decay=0.5)
        tensor([1.2500, 1.0000])

    Reference:
        Eq. 8 of "When Visual Privacy Protection Meets Multimodal Large Language Models", IJCV 2026.
    """
    norms: Tensor = torch.linalg.vector_norm(gradients, dim=1)
    return norms * decay ** (step - steps).to(norms.dtype)


def critical_slot(
    score: Float[Tensor, ""],
    scores: Float[Tensor, " M"],
    count: Int[Tensor, ""],
    order: Literal["fill_first", "literal"] = "fill_first",
) -> Int[Tensor, ""]:
    """Choose the slot that a new gradient takes.

    Slots ``0 .. count - 1`` are taken. A new gradient either takes the next free slot or replaces
    the smallest score, which it must strictly exceed; of equal smallest scores the first one goes.
    ``"fill_first"`` fills the set before it replaces anything, as Sec. 3.4 reads. ``"literal"``
    tests the scores first, as Algorithm 1 is printed: replacing keeps the size, so the set grows
    only when the new score is not greater. An empty set has no smallest score, and the gradient is
    added.

    Args:
        score: Score of the new gradient, a scalar.
        scores: Decayed scores, shape ``(M,)``; those of free slots are not looked at.
        count: Number of taken slots, a scalar.
        order: Which of the two tests comes first.

    Returns:
        The slot, a scalar int64 tensor on the scores' device; -1 when the gradient is discarded.

    Example:
        >>> scores, two = torch.tensor([3.0, 1.0, 0.0]), torch.tensor(2)
        >>> critical_slot(torch.tensor(2.0), scores, two)
        tensor(2)
        >>> critical_slot(torch.tensor(2.0), scores, two, order="literal")
        tensor(1)

    Reference:
        Sec. 3.4 and Algorithm 1 (Appendix D) of "When Visual Privacy Protection Meets Multimodal
        Large Language Models", IJCV 2026.
    """
    capacity = len(scores)
    taken = torch.arange(capacity, device=scores.device) < count
    known = torch.where(taken, scores, torch.inf)
    exceeds = score > known.amin()
    has_room = count < capacity
    if order == "fill_first":
        return torch.where(has_room, count, torch.where(exceeds, known.argmin(), -1))
    return torch.where(exceeds, known.argmin(), torch.where(has_room, count, -1))


def oldest_slot(steps: Int[Tensor, " M"], count: Int[Tensor, ""]) -> Int[Tensor, ""]:
    """Choose the next free slot or, in a full set, the oldest one.

    Args:
        steps: Step of each stored gradient, shape ``(M,)``.
        count: Number of taken slots, a scalar; slots ``0 .. count - 1`` are taken.

    Returns:
        The slot, a scalar int64 tensor on the steps' device.

    Example:
        >>> oldest_slot(torch.tensor([4, 2, 3]), torch.tensor(3))
        tensor(1)

    Reference:
        "w/o critical gradient collection", Table 7 of "When Visual Privacy Protection Meets
        Multimodal Large Language Models", IJCV 2026.
    """
    return torch.where(count < len(steps), count, steps.argmin())
