"""A bounded set of past gradients that corrects the current one."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from blackbox_anon.arguments import require
from blackbox_anon.estimators.counting import require_same_size
from blackbox_anon.estimators.functional import (
    critical_slot,
    enhance_gradient,
    guarded_cosine,
    importance_scores,
    oldest_slot,
    step_indicator,
)

Selection = Literal["fill_first", "literal", "latest"]


@dataclass(frozen=True, kw_only=True)
class Enhanced:
    """What a history makes of one gradient.

    Attributes:
        gradient: Enhanced gradient ``g_tilde_k``, shape ``(P,)``.
        indicator: Step indicator ``I_k``, a scalar.
        cosine: Cosine between the gradient and its mixture with the history, a scalar.
        age: Mean age of the history that was used, a scalar, in steps; 0 if it was empty.
    """

    gradient: Tensor
    indicator: Tensor
    cosine: Tensor
    age: Tensor


class CriticalHistory(nn.Module):
    """The critical gradients of the past, and the two corrections made with them.

    It takes any gradient vector, whoever estimated it. A gradient of exact zeros has no direction:
    it is answered by zeros and not stored. All work is done by tensor operations, so nothing waits
    for a GPU. Gradients are stored in the buffers' dtype, float32 unless the module is converted.

    Args:
        num_parameters: Length ``P`` of the gradients; 0 until it is known, see :meth:`allocate`.
        capacity: Number ``m`` of gradients kept.
        decay: Factor ``d`` by which a stored score fades per step, in ``(0, 1]``.
        mixing: Share ``gamma`` of the current gradient, in ``[0, 1]``.
        indicator: Magnitude ``b`` of the step indicator, in ``[0, 2)``.
        selection: ``"fill_first"`` fills the set, then replaces the smallest score; ``"literal"``
            follows Algorithm 1 as printed, see :func:`~.functional.critical_slot`; ``"latest"``
            keeps the last ``capacity`` gradients (Table 7, "w/o critical gradient collection").
        use_direction: If false the gradient is returned as it came, while the indicator still
            compares it with the mixture (Table 7, "w/o gradient direction adjustment").
        use_step_size: If false the indicator is 0 (Table 7, "w/o step size adjustment").

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> history = CriticalHistory(2, capacity=4)
        >>> history(torch.tensor([4.0, 0.0]), step=1).gradient
        tensor([4., 0.])
        >>> history(torch.tensor([0.0, 2.0]), step=2).gradient
        tensor([0.5000, 1.0000])

    Reference:
        Eqs. 8-10 and Algorithm 1 of "When Visual Privacy Protection Meets Multimodal Large Language
        Models", IJCV 2026.
    """

    gradients: Tensor
    steps: Tensor
    count: Tensor

    def __init__(
        self,
        num_parameters: int,
        capacity: int = 10,
        *,
        decay: float = 0.5,
        mixing: float = 0.5,
        indicator: float = 0.3,
        selection: Selection = "fill_first",
        use_direction: bool = True,
        use_step_size: bool = True,
    ) -> None:
        super().__init__()
        require(
            num_parameters=(num_parameters, num_parameters >= 0, "0 or more"),
            capacity=(capacity, capacity >= 1, "1 or more"),
            decay=(decay, 0 < decay <= 1, "in (0, 1]"),
            mixing=(mixing, 0 <= mixing <= 1, "in [0, 1]"),
            indicator=(indicator, 0 <= indicator < 2, "in [0, 2)"),
            selection=(
                selection,
                selection in ("fill_first", "literal", "latest"),
                "'fill_first', 'literal' or 'latest'",
            ),
        )
        self.decay = decay
        self.mixing = mixing
        self.indicator = indicator
        self.selection = selection
        self.use_direction = use_direction
        self.use_step_size = use_step_size
        self.register_buffer("gradients", torch.zeros(capacity, num_parameters))
        self.register_buffer("steps", torch.zeros(capacity, dtype=torch.int64))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @property
    def num_parameters(self) -> int:
        """Length of the gradients; 0 until it is known."""
        return self.gradients.shape[1]

    def allocate(self, num_parameters: int) -> None:
        """Give the buffers their shape; see :meth:`AbstractEstimator.allocate`."""
        require_same_size(self.num_parameters, num_parameters)
        if self.num_parameters == 0:
            self.gradients = self.gradients.new_zeros(len(self.gradients), num_parameters)

    def reset(self) -> None:
        """Empty the set."""
        for buffer in self.buffers():
            buffer.zero_()

    @torch.no_grad()
    def forward(self, gradient: Tensor, step: int) -> Enhanced:
        """Correct a gradient by the stored ones, then consider it for storage.

        Args:
            gradient: Gradient estimated at this step, shape ``(P,)``.
            step: Step ``k``, counted from 1 and growing from call to call.

        Returns:
            The enhanced gradient and its indicator, in the gradient's dtype.

        Raises:
            ValueError: If the gradient's shape is not ``(P,)``.
        """
        if gradient.shape != (self.num_parameters,):
            msg = f"`gradient` must be ({self.num_parameters},); found {tuple(gradient.shape)}"
            raise ValueError(msg)
        has_direction = gradient.any()
        mixture = enhance_gradient(
            gradient, self.gradients.to(gradient.dtype), self.count, self.mixing
        )
        magnitude = self.indicator if self.use_step_size else 0.0
        enhanced = Enhanced(
            gradient=torch.where(has_direction, mixture if self.use_direction else gradient, 0.0),
            indicator=step_indicator(gradient, mixture, magnitude),
            cosine=guarded_cosine(gradient, mixture),
            age=self._mean_age(step),
        )
        self._store(gradient.to(self.gradients.dtype), step, has_direction)
        return enhanced

    def _mean_age(self, step: int) -> Tensor:
        """Mean age of the stored gradients, in steps; 0 for an empty set."""
        taken = torch.arange(len(self.steps), device=self.steps.device) < self.count
        return ((step - self.steps) * taken).sum() / self.count.clamp(min=1)

    def _store(self, gradient: Tensor, step: int, has_direction: Tensor) -> None:
        """Write the gradient into the slot that the selection rule gives it, if any."""
        if self.selection == "latest":
            slot = oldest_slot(self.steps, self.count)
        else:
            scores = importance_scores(self.gradients, self.steps, step, self.decay)
            norm = torch.linalg.vector_norm(gradient)
            slot = critical_slot(norm, scores, self.count, self.selection)
        slot = torch.where(has_direction, slot, -1)
        chosen = torch.arange(len(self.steps), device=slot.device) == slot
        self.gradients.copy_(torch.where(chosen.unsqueeze(1), gradient, self.gradients))
        self.steps.copy_(torch.where(chosen, step, self.steps))
        self.count.add_(slot == self.count)
