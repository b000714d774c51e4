"""One SQLite connection for all tasks of a process; many operations in one durable transaction."""

import queue
import sqlite3
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeVar

T = TypeVar("T")
Operation = Callable[[sqlite3.Connection], T]


@dataclass(frozen=True, eq=False)
class _Job:
    operation: Operation[Any]
    writes: bool
    done: "Future[Any]"


class GroupCommit:
    """Runs operations in a thread of its own, in the order they came.

    What queued up while a transaction was being written to the disk shares the next one, so the
    number of operations a second is not bound by the disk's flushes. A future has its result after
    its transaction is durable. An operation that raises loses only its own changes.

    Args:
        connect: Opens the connection, in autocommit mode; called in the thread.
        explain: Makes of SQLite's errors what a user can act on.

    Raises:
        Exception: Whatever ``connect`` raises.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        explain: Callable[[sqlite3.Error], Exception],
    ) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        opened: Future[None] = Future()
        self._thread = threading.Thread(
            target=_work,
            args=(self._jobs, connect, explain, opened),
            name="group-commit",
            daemon=True,
        )
        self._thread.start()
        opened.result()
        self._end = weakref.finalize(self, self._jobs.put, None)

    def submit(self, operation: Operation[T], *, writes: bool = True) -> "Future[T]":
        """Run ``operation`` on the connection.

        Args:
            operation: Reads and writes; neither begins nor commits.
            writes: False where it only reads: then it neither waits for other processes nor
                for the disk.
        """
        done: Future[T] = Future()
        done.set_running_or_notify_cancel()  # who waits may be cancelled, the operation may not
        if not self._end.alive:
            done.set_exception(sqlite3.ProgrammingError("the store was closed"))
            return done
        self._jobs.put(_Job(operation, writes, done))
        return done

    def close(self) -> None:
        """End the thread after what was submitted, and close the connection."""
        self._end()
        self._thread.join()


def _work(
    jobs: "queue.SimpleQueue[_Job | None]",
    connect: Callable[[], sqlite3.Connection],
    explain: Callable[[sqlite3.Error], Exception],
    opened: "Future[None]",
) -> None:
    try:
        connection = connect()
    except Exception as error:  # noqa: BLE001  # raised again where the store is opened
        opened.set_exception(error)
        return
    opened.set_result(None)
    try:
        while (batch := _next_batch(jobs)) is not None:
            for writes, group in groupby(batch, key=lambda job: job.writes):
                _run(connection, list(group), explain, writes=writes)
            del batch, group  # results are not kept alive until the next batch
    finally:
        connection.close()


def _next_batch(jobs: "queue.SimpleQueue[_Job | None]") -> list[_Job] | None:
    """Wait for a job, and take along all that are there."""
    found = [jobs.get()]
    while not jobs.empty():
        found.append(jobs.get())
    if found == [None]:
        return None
    if None in found:  # close after what came before
        jobs.put(None)
    return [job for job in found if job is not None]


def _run(
    connection: sqlite3.Connection,
    jobs: list[_Job],
    explain: Callable[[sqlite3.Error], Exception],
    *,
    writes: bool,
) -> None:
    try:
        results = _transaction(connection, [job.operation for job in jobs], writes=writes)
    except Exception as error:  # noqa: BLE001  # goes to whoever asked
        if len(jobs) == 1:
            told = explain(error) if isinstance(error, sqlite3.Error) else error
            jobs[0].done.set_exception(told)
            return
        for job in jobs:  # find who is to blame
            _run(connection, [job], explain, writes=writes)
        return
    for job, result in zip(jobs, results, strict=True):
        job.done.set_result(result)


def _transaction(
    connection: sqlite3.Connection, operations: list[Operation[Any]], *, writes: bool
) -> list[Any]:
    connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
    try:
        results = [operation(connection) for operation in operations]
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return results
