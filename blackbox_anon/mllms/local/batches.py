"""Batches that shrink to what the device's memory holds."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch

R = TypeVar("R")


@dataclass
class FittingBatches:
    """Splits rows into batches; out of CUDA memory, it halves them for good.

    Attributes:
        size: Most rows in a batch.
    """

    size: int

    def run(self, count: int, answer: Callable[[slice], list[R]]) -> list[R]:
        """Return ``answer`` of all rows, asked in as few batches as fit.

        Args:
            count: How many rows there are.
            answer: From a slice of rows to a result for each.

        Raises:
            torch.cuda.OutOfMemoryError: If a single row does not fit.

        Example:
            >>> FittingBatches(2).run(3, lambda rows: list("abc"[rows]))
            ['a', 'b', 'c']
        """
        done: list[R] = []
        while len(done) < count:
            rows = slice(len(done), min(count, len(done) + self.size))
            found = self._attempt(rows, answer)
            if found is None:
                self._halve(rows.stop - rows.start)
            else:
                done += found
        return done

    @staticmethod
    def _attempt(rows: slice, answer: Callable[[slice], list[R]]) -> list[R] | None:
        """Answer, or ``None``: the error's traceback would keep the tensors alive."""
        try:
            return answer(rows)
        except torch.cuda.OutOfMemoryError:
            if rows.stop - rows.start == 1:
                raise
            return None

    def _halve(self, tried: int) -> None:
        self.size = tried // 2
        torch.cuda.empty_cache()
        warnings.warn(
            f"out of CUDA memory with {tried} clips in a batch; from now on {self.size}: "
            f"set `batch_size` to {self.size} to spare the attempt",
            UserWarning,
            stacklevel=2,
        )
