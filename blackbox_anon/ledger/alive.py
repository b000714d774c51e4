"""Which processes that share a file are alive: exact, without heartbeats."""

import os
from functools import cache
from pathlib import Path

from blackbox_anon.errors import StoreError


class Presence:
    """Record locks on a file beside the shared one: a process holds the byte of its number.

    The kernel drops the lock with the process, however it ends. Numbers must not be used again.

    Args:
        path: The lock file; made where it does not exist.

    Raises:
        StoreError: On a system without record locks.
    """

    def __init__(self, path: Path) -> None:
        if os.name != "posix":
            raise StoreError("a ledger or a cache needs a system with POSIX record locks")
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)  # stays open: closing unlocks
        self._own: set[int] = set()

    def announce(self, number: int) -> None:
        """Hold ``number`` until this process ends."""
        import fcntl  # not on Windows, where this package can be used without a ledger

        fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        self._own.add(number)

    def is_alive(self, number: int) -> bool:
        """Whether the process that announced ``number`` still runs."""
        import fcntl

        if number in self._own:
            return True
        try:  # a shared lock: two that look at once do not take each other for the owner
            fcntl.lockf(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, number)
        except OSError:
            return True
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, number)
        return False


def presence(path: Path) -> Presence:
    """Return the process's one :class:`Presence` for the file ``path``.

    One only: closing any handle of a file would drop all of a process's locks on it.
    """
    return _presence(path.resolve().with_name(path.name + "-alive"), os.getpid())


@cache
def _presence(path: Path, process: int) -> Presence:
    del process  # a forked child holds none of its parent's locks
    return Presence(path)
