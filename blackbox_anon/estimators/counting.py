"""What estimators share that do not wrap another: two counters, and buffers as long as theta."""

from abc import ABC

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.estimators.abstract import AbstractEstimator


class AbstractCountingEstimator(AbstractEstimator, ABC):
    """An estimator that counts its steps and the pairs, or steps, that told nothing."""

    step: Tensor
    dead_pairs: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self.register_buffer("dead_pairs", torch.zeros((), dtype=torch.int64))

    @override
    def reset(self) -> None:
        self.step.zero_()
        self.dead_pairs.zero_()


def require_same_size(found: int, num_parameters: int) -> None:
    """Refuse to allocate buffers of another size than those that are there.

    Args:
        found: Parameters the buffers are made for; 0 if they are not made yet.
        num_parameters: Parameters to make them for.

    Raises:
        ValueError: If they differ.
    """
    if found not in (0, num_parameters):
        msg = f"`num_parameters` must stay {found}; found {num_parameters}"
        raise ValueError(msg)


def require_allocated(theta: Tensor, num_parameters: int) -> None:
    """Refuse parameters that the buffers were not made for.

    Args:
        theta: Shape ``(P,)``.
        num_parameters: Parameters the buffers are made for; 0 if they are not made yet.

    Raises:
        ValueError: If ``theta`` has another shape; says what to call.
    """
    if theta.shape != (num_parameters,):
        msg = (
            f"`theta` must have the allocated shape ({num_parameters},); found "
            f"{tuple(theta.shape)}; call `allocate(num_parameters)` once before training"
        )
        raise ValueError(msg)
