"""Work that is shared out to threads, one core each."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import torch

from blackbox_anon.threads.caller import CallerState
from blackbox_anon.threads.per_process import PerProcess

R = TypeVar("R")


class SideBySide:
    """Runs jobs of a small model in threads of this process, each with one core of its own.

    Where many short operators follow each other, cores that share every operator wait for each
    other at its end. Jobs side by side do not, and the caller can work beside them.

    Args:
        workers: Threads, 1 or more.

    Example:
        >>> SideBySide(2).run([lambda: "a", lambda: "b", lambda: "c"])
        ['a', 'b', 'c']
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        name = "side-by-side"
        self._pool = PerProcess(partial(ThreadPoolExecutor, workers, thread_name_prefix=name))

    def run(
        self, jobs: Sequence[Callable[[], R]], meanwhile: Callable[[], None] | None = None
    ) -> list[R]:
        """Return the jobs' results, in order.

        Each runs without gradients and with this thread's autocast settings.

        Args:
            jobs: What is done side by side.
            meanwhile: Called once in this thread, on one core too, when all jobs are handed over.

        Raises:
            Exception: What ``meanwhile`` or else the first failed job raised, after all jobs ended.
        """
        caller = CallerState.capture()
        with one_torch_thread():
            handed = [self._pool.get().submit(_alone, job, caller) for job in jobs]
            try:
                if meanwhile is not None:
                    meanwhile()
            finally:
                wait(handed)
        return [job.result() for job in handed]

    def shares(self, count: int) -> list[slice]:
        """Split rows into as many neighbouring shares as there are threads, none of them empty.

        Example:
            >>> SideBySide(2).shares(5)
            [slice(0, 3, None), slice(3, 5, None)]
        """
        size, more = divmod(count, self.workers)
        ends = [size * (i + 1) + min(i + 1, more) for i in range(self.workers)]
        starts = [0, *ends[:-1]]
        return [slice(a, b) for a, b in zip(starts, ends, strict=True) if a < b]


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Let this thread, and those that start meanwhile, compute on one core."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _alone(job: Callable[[], R], caller: CallerState) -> R:
    if torch.get_num_threads() != 1:
        torch.set_num_threads(1)
    with torch.no_grad(), caller.entered():
        return job()
