"""One look for all figures: sizes, colours, and figures that touch no global state."""

from pathlib import Path
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from blackbox_anon.report.files import atomic_path

Style = dict[str, Any]  # keyword arguments of a drawing call

DPI = 200
TITLE, BODY, SMALL = 11.0, 9.0, 7.5  # points, legible at 7 inches wide
INK, MUTED, HAIRLINE = "#222222", "#6B6B6B", "#D9D9D9"

# Okabe and Ito's palette keeps apart under the common kinds of colour blindness.
OURS = "#D55E00"
RAW = "#222222"
BASELINE = "#7A7A7A"
UTILITY = "#0072B2"
PRIVACY = "#AA4499"
CORRECT = "#00795A"
WRONG = "#A8123E"


def new_figure(width: float, height: float) -> Figure:
    """Return an empty white figure of ``width`` by ``height`` inches, drawn by Agg."""
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG in one step."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=DPI, format="png")


def axes_in_inches(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes by position; ``left`` and ``top`` are inches from the upper left corner."""
    total_width, total_height = figure.get_size_inches()
    bottom = total_height - top - height
    box = (left / total_width, bottom / total_height, width / total_width, height / total_height)
    return figure.add_axes(box)


def text_in_inches(
    figure: Figure,
    left: float,
    top: float,
    text: str,
    *,
    size: float = BODY,
    color: str = INK,
    align: Literal["top", "center"] = "top",
    bold: bool = False,
    italic: bool = False,
) -> None:
    """Write text; ``left`` and ``top`` are inches from the upper left corner."""
    total_width, total_height = figure.get_size_inches()
    figure.text(
        left / total_width,
        1 - top / total_height,
        text,
        fontsize=size,
        color=color,
        va=align,
        weight="bold" if bold else "normal",
        style="italic" if italic else "normal",
        linespacing=1.3,
    )


def tidy(axes: Axes) -> None:
    """Leave two thin spines, small ticks and a faint horizontal grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(MUTED)
    axes.spines[["left", "bottom"]].set_linewidth(0.6)
    axes.tick_params(labelsize=SMALL, color=MUTED, labelcolor=INK, width=0.6, length=3)
    axes.grid(visible=True, color=HAIRLINE, linewidth=0.5)
    axes.set_axisbelow(True)
