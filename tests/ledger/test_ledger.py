"""The ledger file: its sums, its durability, and what it refuses."""

import random
import sqlite3
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackbox_anon.errors import StoreError
from blackbox_anon.ledger import (
    Amounts,
    Caps,
    Ledger,
    Refusal,
    Reservation,
    Settlement,
    find_price,
    format_usd,
    nano_from_usd,
    read_measured,
    read_runs,
    read_summary,
)
from blackbox_anon.ledger.alive import presence
from blackbox_anon.ledger.group_commit import GroupCommit
from blackbox_anon.mllms import Usage
from tests.mllms.processes import FORKS, finish, kill, start, wait_until

USAGES = st.builds(Usage, input_tokens=st.integers(0, 10**7), output_tokens=st.integers(0, 10**7))
PRICE = find_price("gpt-4o")


@given(usage=USAGES, cents=st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)))
def test_a_cost_is_exact_to_the_nano_dollar(usage: Usage, cents: tuple[int, int]) -> None:
    """Against fractions: dollars per million tokens, four decimal places."""
    price = find_price("m", {"m": {"input": cents[0] / 10**4, "output": cents[1] / 10**4}})
    assert price is not None
    tokens = (usage.input_tokens, usage.output_tokens)
    exact = sum(Fraction(c, 10**4) * t / 10**6 for c, t in zip(cents, tokens, strict=True))
    assert 0 <= price.nano(usage) - exact * 10**9 < 1


@pytest.mark.parametrize(
    ("amount", "nano"), [(0.1, 10**8), (0.29, 29 * 10**7), (1e-9, 1), (1.5e-9, 1), (5, 5 * 10**9)]
)
def test_a_cap_is_what_was_written(amount: float, nano: int) -> None:
    assert nano_from_usd(amount) == nano


def test_money_is_written_short() -> None:
    assert [format_usd(n) for n in (0, 1, 10**6, 10**9, 12_345_678_900)] == [
        "0.00 USD", "0.000001 USD", "0.001 USD", "1.00 USD", "12.345679 USD"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "entry", [{"input": 1}, {"input": 1, "output": -1}, {"input": 1, "output": "x"}, 3,
              {"input": 1, "output": 2, "cached": 3}, {"input": float("nan"), "output": 1}]
)  # fmt: skip
def test_prices_that_are_none(entry: object) -> None:
    with pytest.raises(ValueError, match=r"`prices\['m'\]` must be"):
        find_price("m", {"m": entry})  # type: ignore[dict-item]  # the point of the test


def test_a_users_prices_come_first(tmp_path: Path) -> None:
    shipped = find_price("gpt-4o")
    for name, text in (("p.yaml", "gpt-4o: {input: 7, output: 8}"),
                       ("p.json", '{"gpt-4o": {"input": 7, "output": 8}}')):  # fmt: skip
        (tmp_path / name).write_text(text)
        found = find_price("gpt-4o", str(tmp_path / name))
        assert found is not None
        assert found != shipped
        assert found.nano(Usage(input_tokens=1)) == 7000
    assert find_price("gpt-4o-2024-05-13") is None  # it cost twice as much: no guess by the family
    with pytest.raises(ValueError, match="found no file"):
        find_price("gpt-4o", str(tmp_path / "none.yaml"))
    (tmp_path / "p.yaml").write_text("- gpt-4o")
    with pytest.raises(ValueError, match="must map models to prices"):
        find_price("gpt-4o", str(tmp_path / "p.yaml"))


def reserve(
    ledger: Ledger, worst: Usage, caps: Caps | None = None, model: str = "gpt-4o"
) -> Reservation | Refusal:
    return ledger.reserve(model, "0" * 64, worst, price=PRICE, caps=caps or Caps()).result()


def granted(ledger: Ledger, worst: Usage) -> Reservation:
    found = reserve(ledger, worst)
    assert isinstance(found, Reservation)
    return found


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


def hold(path: Path) -> None:
    """Reserve, say so, and stay."""
    ledger = Ledger(path, run="other")
    granted(ledger, Usage(input_tokens=10))
    (path.parent / "held").touch()
    wait_until(lambda: False)


@FORKS
def test_what_only_the_dead_hold_is_not_waited_for(tmp_path: Path) -> None:
    path, worst, caps = tmp_path / "ledger.sqlite", Usage(input_tokens=10), Caps(tokens=15)
    other = start(hold, path)
    wait_until((tmp_path / "held").exists)
    ledger = Ledger(path, run="mine")
    refusal = reserve(ledger, worst, caps)
    assert isinstance(refusal, Refusal)
    assert refusal.may_fit_later
    assert ledger.summary().attempts("in_flight") == 1
    kill(other)
    refusal = reserve(ledger, worst, caps)
    assert isinstance(refusal, Refusal)
    assert not refusal.may_fit_later
    assert refusal.spent == Amounts(queries=1, tokens=10, nano=25_000)
    assert [(t.state, t.outcome) for t in ledger.summary().totals] == [("unknown", "lost")]
    ledger.close()


def announce(path: Path) -> None:
    assert not presence(path).is_alive(7)
    presence(path).announce(7)


@FORKS
def test_presence_ends_with_the_process(tmp_path: Path) -> None:
    path = tmp_path / "x"
    presence(path).announce(3)
    assert presence(path).is_alive(3)
    assert finish(start(announce, path)) == 0
    assert not presence(path).is_alive(7)


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
    waiting = [
        ledger.reserve("gpt-4o", "0" * 64, Usage(), price=PRICE, caps=Caps()) for _ in range(2000)
    ]
    assert all(isinstance(future.result(), Reservation) for future in waiting)
    pages = (path.parent / (path.name + "-wal")).stat().st_size / 4120
    ledger.close()
    assert pages < 1000  # one transaction per attempt would be 4000 and more


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
