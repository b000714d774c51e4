"""Who is dead holds nothing."""

from pathlib import Path

from blackbox_anon.ledger import (
    Amounts,
    Caps,
    Ledger,
    Refusal,
)
from blackbox_anon.ledger.alive import presence
from blackbox_anon.mllms import Usage
from tests.ledger.reserving import granted, reserve
from tests.mllms.processes import FORKS, finish, kill, start, wait_until


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
