"""What stops one process stops all of them, and leaves none waiting."""

import atexit
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher

from blackbox_anon.errors import BlackboxAnonError, BudgetExhaustedError, TooManyFailuresError

_KINDS = (BlackboxAnonError, TooManyFailuresError, BudgetExhaustedError)  # the last one counts most
_PATIENCE_S = 120.0


class StopTogether:
    """Holds an error of one process back until all of them can raise one.

    An error that one process raises by itself, at a cap that another one did not reach yet, leaves
    the others waiting for it in the next collective, or buries its reason under their broken
    connections. In a run of a single process nothing is held back.
    """

    def __init__(self) -> None:
        self._own: BlackboxAnonError | None = None

    @property
    def due(self) -> bool:
        """Whether this process holds an error back."""
        return self._own is not None

    @contextmanager
    def holding(self, trainer: Trainer) -> Iterator[None]:
        """Hold back what the body raises on purpose; what follows the body must bear it."""
        try:
            yield
        except BlackboxAnonError as error:
            if trainer.world_size == 1:
                raise
            self._own = self._own or error

    def agree(self, trainer: Trainer) -> None:
        """Raise on every process if any of them holds an error; all must call it equally often.

        Raises:
            BlackboxAnonError: Of the gravest kind that any process holds, the same on all of them;
                the process's own if it is of that kind.
        """
        if trainer.world_size == 1:
            return
        own, self._own = self._own, None
        grave = torch.tensor(_gravity(own), device=trainer.strategy.root_device)
        found = int(trainer.strategy.reduce(grave, reduce_op="max"))
        if not found:
            return
        _outlive_launched(trainer)
        if own is not None and _gravity(own) == found:
            raise own
        raise _KINDS[found - 1](
            "another process of this run stopped; its message says why"
        ) from own


def _gravity(error: BlackboxAnonError | None) -> int:
    """Number an error by its kind, from 1; 0 is none."""
    return max((i for i, kind in enumerate(_KINDS, start=1) if isinstance(error, kind)), default=0)


def _outlive_launched(trainer: Trainer) -> None:
    """Let the processes that this one launched end with their codes, and this one with its own.

    Lightning watches them, and kills the one that launched them as soon as another one ends with an
    error, which hides why.
    """
    launcher = trainer.strategy.launcher
    if isinstance(launcher, _SubprocessScriptLauncher) and launcher.procs:
        atexit.register(_wait, list(launcher.procs))
        launcher.procs.clear()  # the watch's own list
    trainer.strategy.barrier("stopping together")  # none ends before


def _wait(launched: Sequence["subprocess.Popen[bytes]"]) -> None:
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()  # theirs may wait for it
    for process in launched:
        try:
            process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
