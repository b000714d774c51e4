"""What a run will ask, and what that costs, before the first call."""

from collections.abc import Mapping
from dataclasses import dataclass

from blackbox_anon.ledger.caps import Amounts, Caps
from blackbox_anon.ledger.money import Price, format_usd
from blackbox_anon.mllms.answers import Usage


def samples_drawn(batches: int, *, samples: int, batch_size: int, drop_last: bool = False) -> int:
    """Return how many samples a loader gives in ``batches`` batches, starting over at its end.

    Args:
        batches: Batches taken.
        samples: Samples of the set.
        batch_size: Samples of a batch; the last one of a pass may be smaller.
        drop_last: Whether a smaller one is left out.

    Example:
        >>> samples_drawn(4, samples=5, batch_size=2)  # 2, 2, 1, and 2 of the second pass
        7
    """
    if drop_last:
        return batches * batch_size
    a_pass = -(-samples // batch_size)
    return batches // a_pass * samples + min(batches % a_pass * batch_size, samples)


def limited(batches: int, limit: float | None) -> int:
    """Return how many batches Lightning takes under ``limit_*_batches``.

    Args:
        batches: Batches there are.
        limit: An int is a number of batches, a float a share; ``None`` is no limit.

    Example:
        >>> limited(10, 3), limited(10, 0.5), limited(10, None)
        (3, 5, 10)
    """
    if limit is None:
        return batches
    return min(batches, limit) if isinstance(limit, int) else int(batches * limit)


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a run asks, and what one query takes.

    Attributes:
        queries: By phase, such as ``training``.
        rounds: Times that queries are made together.
        worst: The most one query can be billed.
        typical: Input and output tokens of one query, expected.
        price: What tokens cost; ``None`` where nobody gave a price.
    """

    queries: Mapping[str, int]
    rounds: int
    worst: Usage
    typical: tuple[float, float]
    price: Price | None

    @property
    def total(self) -> int:
        """All queries."""
        return sum(self.queries.values())

    def usage(self, queries: int, *, worst: bool) -> Usage:
        """Return the tokens of so many queries."""
        each = (self.worst.input_tokens, self.worst.output_tokens) if worst else self.typical
        return Usage(input_tokens=round(queries * each[0]), output_tokens=round(queries * each[1]))

    def cost(self, queries: int, *, worst: bool) -> int:
        """Return the cost of so many queries in nano-dollars; 0 without a price."""
        return 0 if self.price is None else self.price.nano(self.usage(queries, worst=worst))

    def amounts(self, queries: int, *, worst: bool) -> Amounts:
        """Return what so many queries take of each cap."""
        usage = self.usage(queries, worst=worst)
        return Amounts(
            queries=queries,
            tokens=usage.input_tokens + usage.output_tokens,
            nano=self.cost(queries, worst=worst),
        )

    def affordable(self, caps: Caps, spent: Amounts, *, worst: bool) -> int:
        """Return how many of the queries fit under caps of which some is spent already."""
        low, high = 0, self.total
        while low < high:
            middle = (low + high + 1) // 2
            fits = caps.exceeded_by(spent + self.amounts(middle, worst=worst)) is None
            low, high = (middle, high) if fits else (low, middle - 1)
        return low

    def seconds(self, *, per_second: float | None, latency_s: float | None) -> float | None:
        """Return how long the queries take, at a rate, or with all of a round at once."""
        if per_second is not None:
            return self.total / per_second
        return None if latency_s is None else self.rounds * latency_s


def format_forecast(forecast: Forecast) -> str:
    """Write queries, tokens and money by phase, expected and at worst."""
    rows: list[tuple[str, ...]] = [("", "queries", "tokens", "at worst", "cost", "at worst")]
    phases = [*forecast.queries.items(), ("in all", forecast.total)]
    for name, queries in phases:
        typical, worst = (forecast.amounts(queries, worst=worst) for worst in (False, True))
        money = [format_usd(a.nano) if forecast.price else "?" for a in (typical, worst)]
        rows.append((name, f"{queries}", f"{typical.tokens}", f"{worst.tokens}", *money))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.rjust(width) if i else cell.ljust(width) for i, (cell, width) in cells)
        for row in rows
        if (cells := list(enumerate(zip(row, widths, strict=True))))
    )


def format_duration(seconds: float) -> str:
    """Write a time in the two largest units.

    Example:
        >>> format_duration(7261), format_duration(90), format_duration(0.2)
        ('2 h 1 min', '1 min 30 s', '1 s')
    """
    whole = max(round(seconds), 1)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
