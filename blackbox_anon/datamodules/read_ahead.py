"""Read the next batch while there is nothing better to do."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from typing_extensions import override


class ReadAhead(Iterator[Any]):
    """An iterator whose next item can be read before its turn.

    Args:
        source: Gives the items.

    Example:
        >>> items = ReadAhead(iter([1, 2]))
        >>> items.read()
        1
        >>> list(items)
        [1, 2]
    """

    def __init__(self, source: Iterator[Any]) -> None:
        self._source = source
        self._read: Callable[[], Any] | None = None
        self._item: Any = None  # what was read, until it is given

    @override
    def __next__(self) -> Any:
        read, self._read, self._item = self._read, None, None
        return next(self._source) if read is None else read()

    def read(self) -> object:
        """Read the next item, unless it is read; what that raises is raised in its turn.

        Returns:
            The item, which is still to be given, or ``None`` where there is none.
        """
        if self._read is not None:
            return self._item
        try:
            item = self._item = next(self._source)
        except Exception as error:  # noqa: BLE001  # raised in its turn
            self._read = partial(_raise, error)
        else:
            self._read = lambda: item
        return self._item


def _raise(error: Exception) -> None:
    raise error
