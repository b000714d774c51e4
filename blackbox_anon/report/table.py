"""The results as rows of text, for the console and the page."""

from blackbox_anon.report.comparisons import dominated_by, reduction
from blackbox_anon.report.results import MethodResult, Results


def table_header(results: Results) -> list[str]:
    """Return the column titles; the second names the utility measure."""
    return [
        "method",
        f"{results.results[0].utility.name} [95%]",
        "AP",
        "AP above chance",
        "vs raw",
        "queries",
        "seconds",
        "dominated by",
    ]


def table_rows(results: Results, *, raw: str = "raw") -> list[list[str]]:
    """Return one row of text per method, in the order of the results."""
    reference = results.find(raw)
    return [
        [*_numbers(result, reference), ", ".join(dominated_by(results, result.method)) or "none"]
        for result in results.results
    ]


def format_table(results: Results, *, raw: str = "raw") -> str:
    """Return an aligned table for a console.

    Args:
        results: What to show.
        raw: The method that ``vs raw``, the change of AP above chance in percent, refers to.

    Returns:
        A header, a rule and one line per method. Methods that nothing dominates have ``none`` in
        the last column.
    """
    header, rows = table_header(results), table_rows(results, raw=raw)
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    rule = ["-" * width for width in widths]
    return "\n".join(_line(cells, widths) for cells in [header, rule, *rows])


def _numbers(result: MethodResult, raw: MethodResult | None) -> list[str]:
    low, high = result.utility.ci95
    fall = None if result is raw else reduction(result, raw)
    return [
        result.method,
        f"{result.utility.value:.3f} [{low:.3f}, {high:.3f}]",
        f"{result.privacy.cmap_ap:.3f}",
        f"{result.privacy.above_chance:+.3f}",
        "-" if fall is None else f"{-100 * fall:+.1f}%",
        f"{result.mllm_queries:,}",
        f"{result.seconds:,.1f}",
    ]


def _line(cells: list[str], widths: list[int]) -> str:
    """Align text columns (first and last) left and numbers right."""
    last = len(cells) - 1
    padded = [
        cell.ljust(width) if column in (0, last) else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(padded).rstrip()
