"""Many operations share a transaction, and none another's error."""

import sqlite3
from pathlib import Path
from threading import Event

from blackbox_anon.errors import StoreError
from blackbox_anon.ledger import (
    Caps,
    Ledger,
    Reservation,
)
from blackbox_anon.ledger.group_commit import GroupCommit
from blackbox_anon.mllms import Usage
from tests.ledger.reserving import PRICE
from tests.mllms.processes import PATIENCE_S


def test_one_failing_operation_loses_only_its_own_changes(tmp_path: Path) -> None:
    def connect() -> sqlite3.Connection:
        return sqlite3.connect(tmp_path / "x", isolation_level=None, check_same_thread=False)

    store = GroupCommit(connect, lambda error: StoreError(str(error)))
    store.submit(
        lambda opened: opened.execute("CREATE TABLE t (x INTEGER UNIQUE)") and None
    ).result()

    def insert(opened: sqlite3.Connection, value: int) -> int:
        opened.execute("INSERT INTO t VALUES (?)", (value,))
        if value == 7:
            raise RuntimeError("after the insert")
        return value

    futures = [store.submit(lambda opened, v=v: insert(opened, v)) for v in (*range(10), 3)]  # type: ignore[misc]  # a default
    values = store.submit(
        lambda opened: [row[0] for row in opened.execute("SELECT x FROM t ORDER BY x")],
        writes=False,
    ).result()
    assert values == [0, 1, 2, 3, 4, 5, 6, 8, 9]
    assert isinstance(futures[7].exception(), RuntimeError)
    assert isinstance(futures[10].exception(), StoreError)
    assert [f.result() for f in futures[:7]] == list(range(7))
    store.close()
    assert isinstance(store.submit(lambda _: None).exception(), sqlite3.ProgrammingError)


def test_many_attempts_share_a_flush(tmp_path: Path) -> None:
    """Counted, not timed: the log grows by far less than a page per attempt and flush."""
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger(path, run="a")
    queued = Event()
    ledger._store.submit(lambda _: queued.wait(PATIENCE_S), writes=False)
    waiting = [
        ledger.reserve("gpt-4o", "0" * 64, Usage(), price=PRICE, caps=Caps()) for _ in range(2000)
    ]
    queued.set()
    assert all(isinstance(future.result(), Reservation) for future in waiting)
    pages = (path.parent / (path.name + "-wal")).stat().st_size / 4120
    ledger.close()
    assert pages < 1000  # one transaction per attempt would be 4000 and more
