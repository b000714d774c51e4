"""The ledger file: its sums, its caps, and what it refuses."""

import random
import sqlite3
from pathlib import Path

import pytest

from blackbox_anon.errors import StoreError
from blackbox_anon.ledger import (
    Amounts,
    Caps,
    Ledger,
    Refusal,
    Reservation,
    Settlement,
    read_measured,
    read_runs,
    read_summary,
)
from blackbox_anon.mllms import Usage
from tests.ledger.reserving import granted, reserve


def test_sums_are_those_of_the_attempts(tmp_path: Path) -> None:
    """Random reservations and settlements; the sums recomputed from the rows."""
    draw, path = random.Random(0), tmp_path / "ledger.sqlite"
    ledger = Ledger(path, run="a")
    open_ones: list[Reservation] = []
    for _ in range(300):
        if open_ones and draw.random() < 0.5:
            usage = Usage(input_tokens=draw.randint(0, 120), output_tokens=draw.randint(0, 9))
            ledger.settle(
                open_ones.pop(draw.randrange(len(open_ones))),
                Settlement(
                    state=draw.choice(["paid", "unknown", "free"]),
                    outcome=draw.choice(["response", "timeout"]),
                    usage=draw.choice([usage, None]),
                ),
            )
        else:
            open_ones.append(granted(ledger, Usage(input_tokens=100, output_tokens=9)))
    summary = ledger.summary()
    ledger.close()
    connection = sqlite3.connect(path)
    rows = connection.execute(
        "SELECT state, outcome, count(*), sum(cost_nano), sum(input_tokens), sum(output_tokens) "
        "FROM attempts GROUP BY state, outcome ORDER BY state, outcome"
    ).fetchall()
    connection.close()
    assert rows == [
        (t.state, t.outcome, t.attempts, t.nano, t.input_tokens, t.output_tokens)
        for t in summary.totals
    ]
    assert summary.attempts("in_flight") == len(open_ones)
    assert read_summary(path).attempts() == summary.attempts()


@pytest.mark.parametrize(
    ("caps", "name"),
    [(Caps(queries=2), "queries"), (Caps(tokens=25), "tokens"), (Caps(nano=60_000), "money")],
)
def test_each_cap_is_kept(caps: Caps, name: str, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite", run="a")
    worst = Usage(input_tokens=10)
    found = [reserve(ledger, worst, caps) for _ in range(3)]
    ledger.close()
    assert [isinstance(one, Reservation) for one in found] == [True, True, False]
    refusal = found[2]
    assert isinstance(refusal, Refusal)
    assert refusal.cap == name
    assert refusal.may_fit_later == (name != "queries")
    assert refusal.reserved == Amounts(queries=2, tokens=20, nano=50_000)


@pytest.mark.parametrize("content", [b"garbage" * 1000, b"x"])
def test_a_file_that_is_no_ledger_is_refused_and_left(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(content)
    with pytest.raises(StoreError, match="`path` must be a ledger of paid calls"):
        Ledger(path, run="a")
    assert path.read_bytes() == content


def test_reading_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="found no file"):
        read_summary(tmp_path / "none.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_speed_and_runs_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    for run in ("b", "a"):
        ledger = Ledger(path, run=run)
        held = [granted(ledger, Usage(input_tokens=100)) for _ in range(2)]
        for i, reserved in enumerate(held):
            usage = Usage(input_tokens=10 * i, output_tokens=4)
            ledger.settle(reserved, Settlement(state="paid", outcome="response", usage=usage))
        ledger.close()
    connection = sqlite3.connect(path)  # two pairs of calls that overlap by half
    for attempt, start_s in ((1, 0.0), (2, 1.0), (3, 10.0), (4, 11.0)):
        connection.execute(
            "UPDATE attempts SET started = ?, ended = ? WHERE id = ?",
            (start_s, start_s + 2.0, attempt),
        )
    connection.commit()
    connection.close()
    measured = read_measured(path)
    assert measured is not None
    assert (measured.answers, measured.latency_s) == (4, 2.0)
    assert (measured.input_tokens, measured.output_tokens) == (5.0, 4.0)
    assert measured.per_second == pytest.approx(4 / 6)
    assert read_measured(path, "another model") is None
    assert list(read_runs(path)) == ["b", "a"]
    assert {attempts for attempts, _ in read_runs(path).values()} == {2}
