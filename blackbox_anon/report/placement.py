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
_Point = tuple[float, float]

_AIR = 6.0  # pixels kept free around a label


@dataclass(frozen=True, kw_only=True)
class PointLabel:
    """Text that belongs to a point in data coordinates."""

    text: str
    x: float
    y: float
    color: str
    bold: bool = False


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where a label could go: distance in points, its box and its leader line in pixels."""

    gap: float
    box: Bbox
    leader: list[Bbox]


def place_labels(axes: Axes, labels: Sequence[PointLabel], obstacles: Sequence[Bbox]) -> None:
    """Write each label at the cheapest free place around its point, earlier labels first.

    Args:
        axes: Its limits must be final.
        labels: What to write.
        obstacles: Boxes to keep clear, in pixels: markers, error bars, lines.
    """
    taken = list(obstacles)
    for label in labels:
        costs = [(_cost(axes.bbox, taken, place), place) for place in _candidates(axes, label)]
        place = min(costs, key=lambda pair: pair[0])[1]
        _write(axes, label, place)
        taken += [place.box, *place.leader]


def _leader(anchor: _Point, box: Bbox) -> list[Bbox]:
    """Return small boxes along the line from a point to its label, clear of the marker."""
    centre = ((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)
    shares = [0.3 + 0.05 * step for step in range(10)]
    line = [[(1 - s) * anchor[i] + s * centre[i] for i in (0, 1)] for s in shares]
    return [Bbox.from_bounds(x - 2, y - 2, 4, 4) for x, y in line]


def _crossings(taken: Sequence[Bbox], leader: Sequence[Bbox]) -> int:
    return sum(other.overlaps(step) for step in leader for other in taken)


def _candidates(axes: Axes, label: PointLabel) -> Iterator[_Place]:
    """Yield places around the point, nearest first."""
    x, y = axes.transData.transform((label.x, label.y))
    width, height = _measure(axes, label)
    pixels_per_point = axes.figure.dpi / 72
    for gap in _GAPS:
        reach = gap * pixels_per_point
        for side_x, side_y in _SIDES:
            centre_x = x + side_x * (reach + width / 2)
            centre_y = y + side_y * (reach + height / 2)
            corner = (centre_x - width / 2, centre_y - height / 2)
            box = Bbox.from_bounds(*corner, width, height)
            beside = gap == _GAPS[0] and 0 in (side_x, side_y)
            yield _Place(gap=gap, box=box, leader=[] if beside else _leader((x, y), box))


def _cost(frame: Bbox, taken: Sequence[Bbox], place: _Place) -> float:
    """Weigh covered and cut off pixels far above a crossed line, and that above distance."""
    area = place.box.width * place.box.height
    inside = _overlap(frame, place.box)
    covered = sum(_overlap(other, place.box) for other in taken)
    crossed = _crossings(taken, place.leader)
    return 100 * (area - inside + covered) / area + 3 * crossed + 0.1 * place.gap


def _overlap(first: Bbox, second: Bbox) -> float:
    both = Bbox.intersection(first, second)
    return 0.0 if both is None else float(both.width * both.height)


def _measure(axes: Axes, label: PointLabel) -> tuple[float, float]:
    text = axes.text(0, 0, label.text, fontsize=BODY, fontweight=_weight(label))
    extent = text.get_window_extent()
    text.remove()
    return extent.width + _AIR, extent.height + _AIR


def _write(axes: Axes, label: PointLabel, place: _Place) -> None:
    x, y = axes.transData.transform((label.x, label.y))
    box, points = place.box, 72 / axes.figure.dpi
    centre_x, centre_y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
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
        arrowprops=line if place.leader else None,
        path_effects=[withStroke(linewidth=2.5, foreground="white")],
        zorder=6,
    )


def _weight(label: PointLabel) -> str:
    return "bold" if label.bold else "normal"
