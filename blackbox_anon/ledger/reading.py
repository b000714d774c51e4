"""Looking at a ledger file without taking part in it."""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from blackbox_anon.ledger.group_commit import Operation
from blackbox_anon.ledger.store import damaged, open_store
from blackbox_anon.ledger.summary import Summary, summarise
from blackbox_anon.ledger.tables import LEDGER

T = TypeVar("T")

_RECENT = 5000  # answers that speed is measured on


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What answered calls took.

    Attributes:
        answers: How many were looked at.
        input_tokens: Mean of one call.
        output_tokens: Mean of one call.
        latency_s: Mean time of one call.
        per_second: Answers a second while any call was in flight.
    """

    answers: int
    input_tokens: float
    output_tokens: float
    latency_s: float
    per_second: float


def read_summary(path: str | Path) -> Summary:
    """Return the sums of a ledger file, of all processes and runs.

    Raises:
        StoreError: If there is no ledger at ``path``.
    """
    return _read(path, summarise)


def read_runs(path: str | Path) -> Mapping[str, tuple[int, int]]:
    """Return attempts and nano-dollars by run, in the order of their start.

    Raises:
        StoreError: If there is no ledger at ``path``.
    """
    rows = _read(
        path,
        lambda connection: connection.execute(
            "SELECT run, count(attempts.id), coalesce(sum(cost_nano), 0) FROM processes "
            "LEFT JOIN attempts ON processes.id = attempts.process "
            "GROUP BY run ORDER BY min(processes.id)"
        ).fetchall(),
    )
    return {run: (attempts, nano) for run, attempts, nano in rows}


def read_measured(path: str | Path, model: str | None = None) -> Measured | None:
    """Return what the latest answered calls took; ``None`` where there are none.

    Args:
        path: The ledger.
        model: Count only calls to this one.

    Raises:
        StoreError: If there is no ledger at ``path``.
    """
    rows = _read(
        path,
        lambda connection: connection.execute(
            "SELECT started, ended, input_tokens, output_tokens FROM attempts "
            "WHERE outcome = 'response' AND (?1 IS NULL OR model = ?1) ORDER BY id DESC LIMIT ?2",
            (model, _RECENT),
        ).fetchall(),
    )
    if not rows:
        return None
    busy = _covered((started, ended) for started, ended, _, _ in rows)
    return Measured(
        answers=len(rows),
        input_tokens=sum(row[2] for row in rows) / len(rows),
        output_tokens=sum(row[3] for row in rows) / len(rows),
        latency_s=sum(ended - started for started, ended, _, _ in rows) / len(rows),
        per_second=len(rows) / max(busy, 1e-6),
    )


def _covered(spans: Iterable[tuple[float, float]]) -> float:
    """Length of the union of intervals."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(end - max(start, reached), 0.0)
        reached = max(reached, end)
    return total


def _read(path: str | Path, operation: Operation[T]) -> T:
    connection = open_store(Path(path), LEDGER, create=False)
    try:
        return operation(connection)
    except sqlite3.Error as error:
        raise damaged(Path(path), LEDGER, error) from error
    finally:
        connection.close()
