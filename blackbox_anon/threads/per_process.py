"""What every process opens for itself: files, threads."""

import os
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Opened = TypeVar("Opened")

_opening = threading.Lock()


class PerProcess(Generic[Opened]):
    """Something that is opened at its first use in a process, and again in a forked one.

    It is pickled closed.

    Args:
        opener: Opens it; a function that can be pickled.

    Example:
        >>> numbers = PerProcess(list)
        >>> numbers.get() is numbers.get()
        True
        >>> numbers.forget(), numbers.forget()
        ([], None)
    """

    def __init__(self, opener: Callable[[], Opened]) -> None:
        self._opener = opener
        self._opened: tuple[int, Opened] | None = None

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_opened": None}

    def get(self) -> Opened:
        """Return what this process opened."""
        with _opening:
            if self._opened is None or self._opened[0] != os.getpid():  # forked
                self._opened = (os.getpid(), self._opener())
            return self._opened[1]

    def forget(self) -> Opened | None:
        """Return what is open, for who wants to close it; the next use opens it again."""
        opened, self._opened = self._opened, None
        return None if opened is None else opened[1]
