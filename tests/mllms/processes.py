"""Other processes of a test: forked, so that they start at once."""

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.context import ForkProcess
from typing import ParamSpec

import pytest

P = ParamSpec("P")

PATIENCE_S = 600.0
"""A busy machine gives a process a tenth of a core."""

FORKS = pytest.mark.filterwarnings(
    "ignore:This process .* is multi-threaded:DeprecationWarning"  # Python 3.12; no lock is held
)


def start(target: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> ForkProcess:
    """Call ``target`` in another process."""
    process = multiprocessing.get_context("fork").Process(target=target, args=args, kwargs=kwargs)
    process.start()
    return process


def finish(process: ForkProcess) -> int | None:
    """Wait for a process and return its exit code."""
    process.join(PATIENCE_S)
    return process.exitcode


def kill(process: ForkProcess) -> None:
    """End a process by SIGKILL, as the kernel does when memory is short."""
    process.kill()
    process.join(PATIENCE_S)


def wait_until(holds: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    """Wait for something another process does."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)
