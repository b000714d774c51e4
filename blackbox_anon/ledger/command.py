"""``blackbox-anon ledger``: what was spent, on what."""

import argparse
import sys
from collections.abc import Sequence

from blackbox_anon.ledger.money import format_usd
from blackbox_anon.ledger.reading import Measured, read_measured, read_runs, read_summary
from blackbox_anon.ledger.summary import Summary

_MEANING = {
    "in_flight": "under way, at worst",
    "paid": "billed",
    "free": "not billed",
    "unknown": "may be billed, at worst",
}


def main(args: Sequence[str]) -> None:
    """Print the sums of a ledger.

    Args:
        args: Arguments after ``ledger``.

    Raises:
        StoreError: If there is no ledger at the path.
    """
    parser = argparse.ArgumentParser(prog="blackbox-anon ledger", description=__doc__)
    parser.add_argument("path", help="the ledger file, `path` of a BudgetedMLLM")
    path = parser.parse_args(args).path
    parts = [
        _table(_by_outcome(read_summary(path))),
        _table([("run", "attempts", "cost"), *_by_run(path)]),
    ]
    measured = read_measured(path)
    if measured is not None:
        parts.append(_speed(measured))
    sys.stdout.write("\n\n".join(parts) + "\n")


def _by_outcome(summary: Summary) -> list[tuple[str, ...]]:
    rows = [("outcome", "", "attempts", "input tokens", "output tokens", "cost")]
    rows += [
        (
            total.outcome or "-",
            _MEANING[total.state],
            f"{total.attempts}",
            f"{total.input_tokens}",
            f"{total.output_tokens}",
            format_usd(total.nano),
        )
        for total in summary.totals
    ]
    tokens = (f"{sum(getattr(t, n) for t in summary.totals)}" for n in _TOKENS)
    whole = summary.spent + summary.reserved
    return [*rows, ("in all", "", f"{whole.queries}", *tokens, format_usd(whole.nano))]


_TOKENS = ("input_tokens", "output_tokens")


def _by_run(path: str) -> list[tuple[str, ...]]:
    return [
        (run, f"{attempts}", format_usd(nano)) for run, (attempts, nano) in read_runs(path).items()
    ]


def _speed(measured: Measured) -> str:
    return (
        f"the last {measured.answers} answers: {measured.latency_s:.2f} s each, "
        f"{measured.per_second:.2f} a second, {measured.input_tokens:.0f} + "
        f"{measured.output_tokens:.0f} tokens each"
    )


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    """Align: words to the left, everything else to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    words = [
        not any(row[i][:1].isdigit() for row in rows[1:]) or i == 0 for i in range(len(widths))
    ]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if word else cell.rjust(width)
            for cell, width, word in zip(row, widths, words, strict=True)
        ).rstrip()
        for row in rows
    )
