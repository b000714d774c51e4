"""How training went, against what it cost: MLLM queries."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from blackbox_anon.report.style import (
    BODY,
    HAIRLINE,
    INK,
    MUTED,
    PRIVACY,
    SMALL,
    TITLE,
    UTILITY,
    Style,
    axes_in_inches,
    new_figure,
    save_figure,
    text_in_inches,
    tidy,
)

Values = NDArray[np.float64]

_WIDTH, _PANEL, _STRIP, _GAP, _TOP = 7.2, 1.15, 0.4, 0.3, 0.85
_PANELS = (
    ("utility_loss", "utility loss", UTILITY),
    ("privacy_loss", "privacy loss", PRIVACY),
    ("active", "active objective", INK),
    ("dead_pairs", "dead pairs so far", INK),
    ("indicator", "step indicator", INK),
    ("step_norm", "step norm", INK),
)


def training_curves(history: Mapping[str, Sequence[float]], path: Path) -> None:
    """Draw one panel per series the history holds, over MLLM queries.

    Args:
        history: Lists of one length, one value per logged step. ``queries`` (needed) and
            ``dead_pairs`` are running totals; ``active`` is 0 for utility and 1 for privacy;
            ``utility_loss``, ``privacy_loss``, ``indicator`` and ``step_norm`` are per step.
            Further keys are ignored.
        path: PNG to write.

    Raises:
        ValueError: If ``queries`` is missing, lengths differ, or a running total falls.
    """
    series = {key: np.asarray(values, np.float64) for key, values in history.items()}
    _check(series)
    shown = [panel for panel in _PANELS if panel[0] in series]
    heights = [_STRIP if key == "active" else _PANEL for key, _, _ in shown]
    figure = new_figure(_WIDTH, _TOP + sum(heights) + _GAP * len(shown) + 0.35)
    top = _TOP
    for (key, name, color), height in zip(shown, heights, strict=True):
        axes = axes_in_inches(figure, 0.75, top, _WIDTH - 1.0, height)
        _draw_panel(axes, series["queries"], series[key], key=key, name=name, color=color)
        axes.tick_params(labelbottom=key == shown[-1][0])
        top += height + _GAP
    if shown:
        axes.set_xlabel("MLLM queries", fontsize=BODY)
    _write_title(figure, series)
    save_figure(figure, path)


def moving_average(values: Values, window: int) -> Values:
    """Average over a centred window that shrinks at both ends and leaves NaN out."""
    known = np.isfinite(values)
    kernel = np.ones(window)
    total = np.convolve(np.where(known, values, 0.0), kernel, "same")
    count = np.convolve(known.astype(float), kernel, "same")
    average: Values = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0.5)
    return average


def _window(values: Values) -> int:
    return max(1, len(values) // 20)


def _check(series: Mapping[str, Values]) -> None:
    if "queries" not in series or not len(series["queries"]):
        raise ValueError(f"history: expected a non-empty 'queries', found keys {sorted(series)}.")
    lengths = {key: len(values) for key, values in series.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"history: expected lists of one length, found {lengths}.")
    for key in {"queries", "dead_pairs"} & series.keys():
        if (np.diff(series[key]) < 0).any():
            raise ValueError(f"history: expected a running total in {key!r}, found one that falls.")


def _draw_panel(
    axes: Axes, queries: Values, values: Values, *, key: str, name: str, color: str
) -> None:
    tidy(axes)
    span = float(queries[-1] - queries[0]) or 1.0
    axes.set_xlim(queries[0] - 0.01 * span, queries[-1] + 0.01 * span)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_title(name, loc="left", fontsize=BODY, color=color, weight="bold", pad=3)
    if key == "active":
        _draw_strip(axes, queries, values)
    elif key == "dead_pairs":
        axes.fill_between(queries, values, step="post", color=HAIRLINE, linewidth=0)
        axes.plot(queries, values, drawstyle="steps-post", color=color, linewidth=1.0)
        axes.set_ylim(bottom=0)
    else:
        _draw_curve(axes, queries, values, color)


def _draw_curve(axes: Axes, queries: Values, values: Values, color: str) -> None:
    """Draw single steps faintly and their moving average over a twentieth of the run."""
    axes.plot(queries, values, color=color, linewidth=0.6, alpha=0.3)
    axes.plot(queries, moving_average(values, _window(values)), color=color, linewidth=1.6)


def _draw_strip(axes: Axes, queries: Values, active: Values) -> None:
    """Split the height into the shares of steps in which either objective was active."""
    share = moving_average(active, _window(active))
    axes.fill_between(queries, share, color=PRIVACY, linewidth=0)
    axes.fill_between(queries, share, 1, color=UTILITY, linewidth=0)
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 1], ["0%", "100%"])
    axes.grid(visible=False)
    note: Style = {"transform": axes.transAxes, "ha": "right", "va": "bottom", "fontsize": SMALL}
    axes.text(1, 1.08, f"below: privacy, {active.mean():.0%} of steps", color=PRIVACY, **note)
    axes.text(0.7, 1.08, f"above: utility, {1 - active.mean():.0%}", color=UTILITY, **note)


def _write_title(figure: Figure, series: Mapping[str, Values]) -> None:
    text_in_inches(figure, 0.2, 0.15, "Training", size=TITLE, bold=True)
    steps, queries = len(series["queries"]), int(series["queries"][-1])
    note = f"{steps:,} logged steps, {queries:,} MLLM queries"
    if "dead_pairs" in series:
        note += f", {int(series['dead_pairs'][-1]):,} dead pairs"
    note += ". Faint: single steps. Bold: moving average over a twentieth of the run."
    text_in_inches(figure, 0.2, 0.4, note, size=SMALL, color=MUTED)
