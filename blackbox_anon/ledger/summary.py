"""What a ledger says: sums by outcome, and figures to draw."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from blackbox_anon.ledger.caps import Amounts, Caps
from blackbox_anon.ledger.money import usd

State = Literal["in_flight", "paid", "free", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Total:
    """The attempts that ended in one way.

    Attributes:
        state: ``in_flight``: not ended yet; ``paid``: billed; ``free``: not billed for certain;
            ``unknown``: may have been billed, counts as its worst case.
        outcome: ``response``, a kind of failure, ``error`` (an exception), or ``lost`` (the process
            ended first).
        attempts: How many.
        nano: What they count for, in nano-dollars.
        input_tokens: Tokens asked.
        output_tokens: Tokens answered.
    """

    state: State
    outcome: str
    attempts: int
    nano: int
    input_tokens: int
    output_tokens: int

    @property
    def amounts(self) -> Amounts:
        """The same as amounts of the three caps."""
        tokens = self.input_tokens + self.output_tokens
        return Amounts(queries=self.attempts, tokens=tokens, nano=self.nano)


@dataclass(frozen=True)
class Summary:
    """Sums over a ledger, of all processes and runs.

    Attributes:
        totals: One entry per state and outcome that occurred.
    """

    totals: Sequence[Total]

    @property
    def spent(self) -> Amounts:
        """What is settled: real costs, and worst cases where the outcome is unknown."""
        return sum((t.amounts for t in self.totals if t.state != "in_flight"), Amounts())

    @property
    def reserved(self) -> Amounts:
        """What calls in flight may cost at most."""
        return sum((t.amounts for t in self.totals if t.state == "in_flight"), Amounts())

    def attempts(self, state: State | None = None) -> int:
        """Return the number of attempts, of all or in one state."""
        return sum(t.attempts for t in self.totals if state in (None, t.state))

    def figures(self, caps: Caps, *, priced: bool) -> dict[str, float]:
        """Return what is worth drawing, by name; money only where it is ``priced``."""
        spent, reserved = self.spent, self.reserved
        found: dict[str, float] = {
            "attempts": self.attempts(),
            "paid": self.attempts("paid"),
            "unknown": self.attempts("unknown"),
            "tokens": spent.tokens,
        }
        if priced:
            found |= {"spent_usd": usd(spent.nano), "reserved_usd": usd(reserved.nano)}
        for name, cap in (("cap_queries", caps.queries), ("cap_tokens", caps.tokens)):
            if cap is not None:
                found[name] = cap
        if caps.nano is not None:
            found["cap_usd"] = usd(caps.nano)
        for total in self.totals:
            if total.outcome not in ("", "response"):
                name = f"attempts_{total.outcome}"
                found[name] = found.get(name, 0) + total.attempts
        return found


def summarise(connection: sqlite3.Connection) -> Summary:
    """Read the sums of a ledger."""
    rows = connection.execute(
        "SELECT state, outcome, attempts, cost_nano, input_tokens, output_tokens FROM totals "
        "WHERE attempts > 0 ORDER BY state, outcome"
    )
    return Summary(
        [
            Total(
                state=state,
                outcome=outcome,
                attempts=attempts,
                nano=nano,
                input_tokens=input_tokens,
                output_tokens=output_tokens,
            )
            for state, outcome, attempts, nano, input_tokens, output_tokens in rows
        ]
    )
