"""Other processes of a test: forked, so that they start at once."""

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.context import ForkProcess
from typing import ParamSpec

import pytest

P = ParamSpec("P")

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
    process.join(120)
    return process.exitcode


def kill(process: ForkProcess) -> None:
    """End a process by SIGKILL, as the kernel does when memory is short."""
    process.kill()
    process.join(120)


def wait_until(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something another process does."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)
