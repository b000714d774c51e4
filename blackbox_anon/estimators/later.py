"""Work of an estimator that needs no answer."""

from collections.abc import Callable
from typing import Generic, TypeVar

R = TypeVar("R")


class Later(Generic[R]):
    """Work that is done once, at the latest when its result is wanted.

    Args:
        work: Gives the result.

    Example:
        >>> later = Later(lambda: 2 + 3)
        >>> later.do()  # while a query is in flight, say
        >>> later()
        5
    """

    def __init__(self, work: Callable[[], R]) -> None:
        self._work = work
        self._results: list[R] = []

    def do(self) -> None:
        """Do the work unless it is done."""
        if not self._results:
            self._results.append(self._work())

    def __call__(self) -> R:
        """Return the result."""
        self.do()
        return self._results[0]
