"""What is done to a ledger, each inside a transaction that another writes to the disk."""

import os
import socket
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass

from blackbox_anon.ledger.caps import Amounts, Caps, Refusal, needed
from blackbox_anon.ledger.money import Price
from blackbox_anon.ledger.summary import State, summarise
from blackbox_anon.mllms.answers import Usage


@dataclass(frozen=True, kw_only=True)
class Intent:
    """A call that is about to be made.

    Attributes:
        process: Who makes it, see :func:`enrol`.
        model: Whom it asks.
        request: SHA-256 of what it asks.
        worst: The most it can be billed.
        price: What tokens cost; ``None`` where nobody gave a price.
    """

    process: int
    model: str
    request: str
    worst: Usage
    price: Price | None


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """A call that may be made: what it may cost is set aside, on the disk.

    Attributes:
        attempt: Its row.
        intent: What it was set aside for.
        usage: Tokens set aside: the worst case, and the model's excess over it so far.
        nano: Money set aside.
    """

    attempt: int
    intent: Intent
    usage: Usage
    nano: int


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """How a call ended.

    Attributes:
        state: Whether it was billed.
        outcome: See :class:`~blackbox_anon.ledger.summary.Total`.
        usage: What was billed, ``None`` where that is not known: the reserved then counts.
    """

    state: State
    outcome: str
    usage: Usage | None = None


def enrol(connection: sqlite3.Connection, run: str) -> int:
    """Enter this process; return its number."""
    row = (run, socket.gethostname(), os.getpid(), time.time())
    cursor = connection.execute(
        "INSERT INTO processes (run, host, pid, started) VALUES (?, ?, ?, ?)", row
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def settle_lost(connection: sqlite3.Connection, is_alive: Callable[[int], bool]) -> None:
    """Take the calls in flight of processes that ended for spent: nobody will settle them."""
    processes = connection.execute(
        "SELECT DISTINCT process FROM attempts WHERE state = 'in_flight'"
    ).fetchall()
    for (process,) in processes:
        if not is_alive(process):
            connection.execute(
                "UPDATE attempts SET state = 'unknown', outcome = 'lost' "
                "WHERE process = ? AND state = 'in_flight'",
                (process,),
            )


def reserve(
    connection: sqlite3.Connection, intent: Intent, caps: Caps, is_alive: Callable[[int], bool]
) -> Reservation | Refusal:
    """Set aside what a call may cost, or say which cap it would exceed."""
    worst = _with_excess(connection, intent.model, intent.worst)
    nano = 0 if intent.price is None else intent.price.nano(worst)
    refusal = _refusal(connection, needed(worst, nano), caps)
    if refusal is not None:
        settle_lost(connection, is_alive)  # what only the dead hold will not be freed
        return _refusal(connection, needed(worst, nano), caps) or refusal
    cursor = connection.execute(
        "INSERT INTO attempts (process, model, request, started, reserved_nano, reserved_input, "
        "reserved_output, cost_nano, input_tokens, output_tokens, state, outcome) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'in_flight', '')",
        (
            *(intent.process, intent.model, intent.request, time.time()),
            *(nano, worst.input_tokens, worst.output_tokens) * 2,
        ),
    )
    assert cursor.lastrowid is not None
    return Reservation(attempt=cursor.lastrowid, intent=intent, usage=worst, nano=nano)


def settle(connection: sqlite3.Connection, reserved: Reservation, settlement: Settlement) -> None:
    """Replace what was reserved by what was billed; more than the worst case is remembered."""
    usage, nano = billed(reserved, settlement)
    connection.execute(
        "UPDATE attempts SET ended = ?, cost_nano = ?, input_tokens = ?, output_tokens = ?, "
        "state = ?, outcome = ? WHERE id = ?",
        (
            *(time.time(), nano, usage.input_tokens, usage.output_tokens),
            *(settlement.state, settlement.outcome, reserved.attempt),
        ),
    )
    excess = excess_of(usage, reserved.intent.worst)
    if excess != Usage():
        connection.execute(
            "INSERT INTO excesses VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET "
            "input_tokens = max(input_tokens, excluded.input_tokens), "
            "output_tokens = max(output_tokens, excluded.output_tokens)",
            (reserved.intent.model, excess.input_tokens, excess.output_tokens),
        )


def billed(reserved: Reservation, settlement: Settlement) -> tuple[Usage, int]:
    """Return the tokens and nano-dollars that a settled call counts for."""
    if settlement.usage is None:
        return reserved.usage, reserved.nano
    price = reserved.intent.price
    return settlement.usage, 0 if price is None else price.nano(settlement.usage)


def excess_of(usage: Usage, worst: Usage) -> Usage:
    """Return by how many tokens real usage is above the worst case."""
    return Usage(
        input_tokens=max(usage.input_tokens - worst.input_tokens, 0),
        output_tokens=max(usage.output_tokens - worst.output_tokens, 0),
    )


def _with_excess(connection: sqlite3.Connection, model: str, worst: Usage) -> Usage:
    """Add what the model was found to bill beyond its worst case before."""
    row = connection.execute(
        "SELECT input_tokens, output_tokens FROM excesses WHERE model = ?", (model,)
    ).fetchone()
    if row is None:
        return worst
    return Usage(
        input_tokens=worst.input_tokens + row[0], output_tokens=worst.output_tokens + row[1]
    )


def _refusal(connection: sqlite3.Connection, need: Amounts, caps: Caps) -> Refusal | None:
    summary = summarise(connection)
    spent, reserved = summary.spent, summary.reserved
    cap = caps.exceeded_by(spent + reserved + need)
    if cap is None:
        return None
    kept = Amounts(queries=reserved.queries)  # an attempt is an attempt, whatever it cost
    return Refusal(
        cap=cap,
        caps=caps,
        spent=spent,
        reserved=reserved,
        need=need,
        may_fit_later=caps.exceeded_by(spent + kept + need) is None,
    )
