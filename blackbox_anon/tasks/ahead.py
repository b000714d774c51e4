"""Work that is done before its turn, as if it were done in its turn."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Literal, Self, TypeVar

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import nn

from blackbox_anon.tasks.random_state import RandomState

Overlap = Literal["auto", "always", "never"]
"""When local work is done while queries are in flight, see :class:`BlackBoxAnonymization`."""

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, kw_only=True)
class _Done(Generic[ResultT]):
    """What came of it, and the random state it found and left."""

    result: ResultT
    found: RandomState
    left: RandomState


class Ahead(Generic[ResultT]):
    """Does work early and hands it out in its turn, with the bits it would have had then.

    Used as a context: on leaving it, work that nobody took is undone, whatever was the reason.

    Args:
        work: Gives a result; may draw random numbers and change what ``keep`` keeps.
        keep: Called before early work; returns a function that undoes it.
        device: Where random numbers are drawn, beside the CPU.

    Example:
        >>> total = torch.zeros(1)
        >>> def keep():
        ...     before = total.clone()
        ...     return lambda: total.copy_(before)
        >>> with Ahead(lambda: total.add_(1), keep=keep, device=torch.device("cpu")) as ahead:
        ...     ahead.do()  # and the step is given up
        >>> total
        tensor([0.])
    """

    def __init__(
        self,
        work: Callable[[], ResultT],
        *,
        keep: Callable[[], Callable[[], object]],
        device: torch.device,
    ) -> None:
        self._work, self._keep, self._device = work, keep, device
        self._done: _Done[ResultT] | None = None
        self._undo: Callable[[], object] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._undo is not None:
            self._undo()

    def do(self) -> None:
        """Do the work unless it is done; the random state stays as it was."""
        if self._done is not None:
            return
        found = RandomState(self._device)
        self._undo = self._keep()
        result = self._work()
        self._done = _Done(result=result, found=found, left=RandomState(self._device))
        found.restore()

    def take(self) -> ResultT:
        """Return the result as if the work were done now.

        It is done now if it was not done before, or with another random state.
        """
        done = self._done
        if done is not None and done.found == RandomState(self._device):
            done.left.restore()
            result = done.result
        else:
            if self._undo is not None:
                self._undo()
            result = self._work()
        self._undo = None
        return result


def keep_training(
    module: nn.Module, optimizer: LightningOptimizer, trainer: Trainer
) -> Callable[[], None]:
    """Keep what training a module changes, and return a function that brings it back.

    Args:
        module: Its parameters and buffers are kept.
        optimizer: Of the module; its state is kept.
        trainer: The optimizer steps that it counted are kept.
    """
    tensors = [*module.parameters(), *module.buffers()]
    before = [tensor.detach().clone() for tensor in tensors]
    state = copy.deepcopy(optimizer.optimizer.state_dict())
    counted = trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
    counts = copy.deepcopy(counted.state_dict())

    def restore() -> None:
        with torch.no_grad():
            for tensor, values in zip(tensors, before, strict=True):
                tensor.copy_(values)
        optimizer.optimizer.load_state_dict(state)
        counted.load_state_dict(counts)

    return restore
