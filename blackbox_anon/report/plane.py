"""The main picture: what the MLLM still knows against what an attacker still learns."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.transforms import Bbox

from blackbox_anon.report.comparisons import better_on_both, dominated_by
from blackbox_anon.report.placement import PointLabel, place_labels
from blackbox_anon.report.results import MethodResult, Results
from blackbox_anon.report.style import (
    BASELINE,
    BODY,
    INK,
    MUTED,
    OURS,
    RAW,
    SMALL,
    TITLE,
    Style,
    axes_in_inches,
    new_figure,
    save_figure,
    text_in_inches,
    tidy,
)

_WIDTH, _HEIGHT = 7.2, 5.0


def utility_privacy_plane(
    results: Results,
    path: Path,
    *,
    ours: str = "ours",
    raw: str = "raw",
    utility_chance: float | None = None,
) -> None:
    """Draw every method as a point: attacker AP above chance across, utility up.

    Args:
        results: What to draw; error bars are the 95 % intervals of utility.
        path: PNG to write.
        ours: The method to highlight; what beats it on both axes lies in the shaded part.
        raw: The unprotected reference.
        utility_chance: Utility of guessing, drawn as a line where given.
    """
    figure = new_figure(_WIDTH, _HEIGHT)
    axes = axes_in_inches(figure, 0.75, 0.95, _WIDTH - 1.0, _HEIGHT - 1.55)
    tidy(axes)
    _set_limits(axes, results, utility_chance)
    _draw_chance(axes, utility_chance)
    _shade_better(axes, results.find(ours))
    for result in results.results:
        _draw_point(axes, result, results, ours=ours, raw=raw)
    _label_points(axes, results, ours=ours, raw=raw)
    axes.set_xlabel(
        "retrained attacker's average precision above chance   (← more private)", fontsize=BODY
    )
    axes.set_ylabel(
        f"utility: {results.results[0].utility.name}   (higher is better →)", fontsize=BODY
    )
    _write_title(figure, results, ours)
    save_figure(figure, path)


def _set_limits(axes: Axes, results: Results, utility_chance: float | None) -> None:
    """Cover all points, their error bars and both chance lines, with room for labels."""
    across = [0.0, *(result.privacy.above_chance for result in results.results)]
    upward = [bound for result in results.results for bound in result.utility.ci95]
    upward += [result.utility.value for result in results.results]
    upward += [] if utility_chance is None else [utility_chance]
    for values, setter in ((across, axes.set_xlim), (upward, axes.set_ylim)):
        room = 0.1 * ((max(values) - min(values)) or 0.1)
        setter(min(values) - room, max(values) + room)


def _draw_chance(axes: Axes, utility_chance: float | None) -> None:
    line: Style = {"color": MUTED, "linewidth": 0.9, "linestyle": (0, (4, 3)), "zorder": 1}
    axes.axvline(0, **line)
    note: Style = {"fontsize": SMALL, "color": MUTED}
    top = axes.get_xaxis_transform()
    axes.text(0, 1.01, "attacker guesses", transform=top, ha="center", va="bottom", **note)
    if utility_chance is not None:
        axes.axhline(utility_chance, **line)
        right = axes.get_yaxis_transform()
        axes.text(
            1, utility_chance, "MLLM guesses ", transform=right, ha="right", va="bottom", **note
        )


def _shade_better(axes: Axes, own: MethodResult | None) -> None:
    if own is None:
        return
    left, top = axes.get_xlim()[0], axes.get_ylim()[1]
    width, height = own.privacy.above_chance - left, top - own.utility.value
    corner = (left, own.utility.value)
    axes.add_patch(Rectangle(corner, width, height, color=OURS, alpha=0.10, linewidth=0, zorder=0))


def _draw_point(axes: Axes, result: MethodResult, results: Results, *, ours: str, raw: str) -> None:
    marker, size = {ours: ("D", 9), raw: ("s", 7)}.get(result.method, ("o", 7))
    color = _color(result.method, ours=ours, raw=raw)
    x, y = result.privacy.above_chance, result.utility.value
    axes.vlines(x, *result.utility.ci95, color=color, linewidth=1.1, zorder=3)
    fill = "white" if dominated_by(results, result.method) else color
    style: Style = {"markerfacecolor": fill, "markeredgecolor": color, "markeredgewidth": 1.4}
    level = 5 if result.method == ours else 4
    axes.plot([x], [y], marker, markersize=size, zorder=level, **style)


def _label_points(axes: Axes, results: Results, *, ours: str, raw: str) -> None:
    """Label ours first, so that it gets the best place."""
    ordered = sorted(results.results, key=lambda result: result.method != ours)
    labels = [
        PointLabel(
            text=result.method,
            x=result.privacy.above_chance,
            y=result.utility.value,
            color=_color(result.method, ours=ours, raw=raw, text=True),
            bold=result.method == ours,
        )
        for result in ordered
    ]
    place_labels(axes, labels, _obstacles(axes, results))


def _obstacles(axes: Axes, results: Results) -> list[Bbox]:
    """Return the pixels of markers, error bars and the attacker's chance line."""
    boxes = []
    for result in results.results:
        ends = [(result.privacy.above_chance, bound) for bound in result.utility.ci95]
        (x, low), (_, high) = axes.transData.transform(ends)
        _, y = axes.transData.transform((0, result.utility.value))
        boxes += [Bbox([[x - 4, low], [x + 4, high]]), Bbox([[x - 18, y - 18], [x + 18, y + 18]])]
    zero, _ = axes.transData.transform((0, 0))
    return [*boxes, Bbox([[zero - 0.5, axes.bbox.y0], [zero + 0.5, axes.bbox.y1]])]


def _color(method: str, *, ours: str, raw: str, text: bool = False) -> str:
    return {ours: OURS, raw: RAW}.get(method, INK if text else BASELINE)


def _write_title(figure: Figure, results: Results, ours: str) -> None:
    text_in_inches(figure, 0.2, 0.15, "Utility and privacy of each method", size=TITLE, bold=True)
    note = "Up and to the left is better. Bars: 95% interval. Hollow: dominated by another method."
    if results.find(ours) is not None:
        better = better_on_both(results, ours)
        note += f"\nShaded: better than {ours} on both axes ({', '.join(better) or 'no method'})."
    text_in_inches(figure, 0.2, 0.4, note, size=SMALL, color=MUTED)
