"""The best values seen so far, and the scale of the first ones."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

IdealRule = Literal["best", "ema_best"] | list[float]


class IdealPoint(nn.Module):
    """Tracks the ideal value of each objective.

    The running minimum of noisy minibatch losses is biased low and never recovers;
    ``"ema_best"`` takes the minimum of their exponential moving average instead, which a single
    loss may fall below.

    Args:
        num_objectives: Number ``N`` of objectives.
        rule: ``"best"`` is the smallest value so far, the current one included (the paper's
            choice); ``"ema_best"`` the smallest moving average so far; numbers, one per
            objective, are values to aspire to that stay (Wierzbicki's reference point).
        ema_decay: Weight of the past in the moving average, in ``[0, 1)``.

    Raises:
        ValueError: If ``rule`` or ``ema_decay`` is not one of these.

    Example:
        >>> ideal = IdealPoint(2)
        >>> ideal(torch.tensor([2.0, 1.0])), ideal(torch.tensor([1.0, 3.0]))
        (tensor([2., 1.]), tensor([1., 1.]))

    Reference:
        Appendix E of "When Visual Privacy Protection Meets Multimodal Large Language Models",
        IJCV 2026.
    """

    best: Tensor
    average: Tensor
    count: Tensor

    def __init__(
        self, num_objectives: int, rule: IdealRule = "best", *, ema_decay: float = 0.9
    ) -> None:
        super().__init__()
        fixed = None if isinstance(rule, str) else _checked(rule, num_objectives)
        if fixed is None and rule not in ("best", "ema_best"):
            msg = f"`ideal` must be 'best', 'ema_best' or numbers; found {rule!r}"
            raise ValueError(msg)
        if not 0 <= ema_decay < 1:
            msg = f"`ema_decay` must be in [0, 1); found {ema_decay}"
            raise ValueError(msg)
        self.rule, self._fixed = rule, fixed
        self.ema_decay = ema_decay
        self.register_buffer("best", torch.full((num_objectives,), torch.inf))
        self.register_buffer("average", torch.zeros(num_objectives))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def reset(self) -> None:
        """Forget all values."""
        self.best.fill_(torch.inf)
        self.average.zero_()
        self.count.zero_()

    @torch.no_grad()
    def forward(self, values: Tensor) -> Tensor:
        """Take in values, shape ``(N,)``, and return the ideal ones, same shape."""
        values = values.to(self.best.dtype)
        if self._fixed is not None:
            return values.new_tensor(self._fixed)
        averaged = torch.lerp(values, self.average, self.ema_decay)
        self.average.copy_(torch.where(self.count == 0, values, averaged))
        current = values if self.rule == "best" else self.average
        self.best.copy_(torch.minimum(self.best, current))
        self.count.add_(1)
        return self.best.clone()


def _checked(ideal: Sequence[float], expected: int) -> list[float]:
    if len(ideal) != expected or not all(math.isfinite(value) for value in ideal):
        msg = f"`ideal` must be {expected} finite numbers, one per weight; found {ideal!r}"
        raise ValueError(msg)
    return [float(value) for value in ideal]


class FirstValueScale(nn.Module):
    """Remembers the magnitude of each objective's first value.

    Not in the paper, which compares raw losses: a cross-entropy over many classes then outweighs
    a privacy loss of order 1 for most of the training. A first value of zero scales by 1.

    Args:
        num_objectives: Number ``N`` of objectives.

    Example:
        >>> scale = FirstValueScale(2)
        >>> scale(torch.tensor([4.0, -0.5])), scale(torch.tensor([1.0, 1.0]))
        (tensor([4.0000, 0.5000]), tensor([4.0000, 0.5000]))
    """

    scale: Tensor

    def __init__(self, num_objectives: int) -> None:
        super().__init__()
        self.register_buffer("scale", torch.zeros(num_objectives))

    def reset(self) -> None:
        """Forget the first values."""
        self.scale.zero_()

    @torch.no_grad()
    def forward(self, values: Tensor) -> Tensor:
        """Return the scale, shape ``(N,)``; the first call sets it."""
        magnitude = torch.where(values == 0, 1.0, values.abs()).to(self.scale.dtype)
        self.scale.copy_(torch.where(self.scale == 0, magnitude, self.scale))
        return self.scale.clone()
