"""Labels beside points, where they cover neither each other nor the data."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox

from blackbox_anon.report.style import BODY, MUTED

# Right and left first, since a label level with its point reads fastest.
_SIDES = ((1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1), (0, 1), (0, -1))
_GAPS = (8.0, 13.0, 22.0, 34.0, 48.0, 66.0)
_LEADER_FROM = 13.0
_AIR = 6.0  # pixels kept free around a label


@dataclass(frozen=True, kw_only=True)
class PointLabel:
    """Text that belongs to a point in data coordinates."""

    text: str
    x: float
    y: float
    color: str
    bold: bool = False


def place_labels(axes: Axes, labels: Sequence[PointLabel], obstacles: Sequence[Bbox]) -> None:
    """Write each label at the cheapest free place around its point, earlier labels first.

    Args:
        axes: Its limits must be final.
        labels: What to write.
        obstacles: Boxes to keep clear, in pixels: markers, error bars, lines.
    """
    taken = list(obstacles)
    for label in labels:
        gap, box = min(_candidates(axes, label), key=lambda place: _cost(axes.bbox, taken, *place))
        _write(axes, label, box, leader=gap >= _LEADER_FROM)
        taken.append(box)


def _candidates(axes: Axes, label: PointLabel) -> Iterator[tuple[float, Bbox]]:
    """Yield distances in points with the label's box in pixels, nearest first."""
    x, y = axes.transData.transform((label.x, label.y))
    width, height = _measure(axes, label)
    pixels_per_point = axes.figure.dpi / 72
    for gap in _GAPS:
        reach = gap * pixels_per_point
        for side_x, side_y in _SIDES:
            centre_x = x + side_x * (reach + width / 2)
            centre_y = y + side_y * (reach + height / 2)
            corner = (centre_x - width / 2, centre_y - height / 2)
            yield gap, Bbox.from_bounds(*corner, width, height)


def _cost(frame: Bbox, taken: Sequence[Bbox], gap: float, box: Bbox) -> float:
    """Weigh covered and cut off pixels far above distance."""
    area = box.width * box.height
    inside = _overlap(frame, box)
    covered = sum(_overlap(other, box) for other in taken)
    return 100 * (area - inside + covered) / area + 0.01 * gap


def _overlap(first: Bbox, second: Bbox) -> float:
    both = Bbox.intersection(first, second)
    return 0.0 if both is None else float(both.width * both.height)


def _measure(axes: Axes, label: PointLabel) -> tuple[float, float]:
    text = axes.text(0, 0, label.text, fontsize=BODY, fontweight=_weight(label))
    extent = text.get_window_extent()
    text.remove()
    return extent.width + _AIR, extent.height + _AIR


def _write(axes: Axes, label: PointLabel, box: Bbox, *, leader: bool) -> None:
    x, y = axes.transData.transform((label.x, label.y))
    centre_x, centre_y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    points = 72 / axes.figure.dpi
    line = {"arrowstyle": "-", "color": MUTED, "linewidth": 0.5, "shrinkA": 1, "shrinkB": 4}
    axes.annotate(
        label.text,
        (label.x, label.y),
        ((centre_x - x) * points, (centre_y - y) * points),
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=BODY,
        fontweight=_weight(label),
        color=label.color,
        arrowprops=line if leader else None,
        path_effects=[withStroke(linewidth=2.5, foreground="white")],
        zorder=6,
    )


def _weight(label: PointLabel) -> str:
    return "bold" if label.bold else "normal"
