"""One block of the before-and-after figure: frames, answers, attribute scores."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from blackbox_anon.report.frames import draw_clip, tile_inches
from blackbox_anon.report.style import (
    BASELINE,
    CORRECT,
    INK,
    MUTED,
    OURS,
    SMALL,
    TITLE,
    WRONG,
    Style,
    axes_in_inches,
    new_figure,
    save_figure,
    text_in_inches,
    tidy,
)

_MARGIN, _TOP, _HEAD, _GAP = 0.2, 0.8, 0.3, 0.3
_SIDE, _ANSWER, _NAMES, _BARS, _NUMBERS = 0.95, 1.5, 1.3, 1.6, 0.45
_BAR_ROW = 0.27  # inches per attribute: two bars and a space
_COLORS = (BASELINE, OURS)


@dataclass(frozen=True, kw_only=True)
class Example:
    """One clip before and after; pairs are raw first, anonymized second."""

    clips: tuple[Tensor, Tensor]
    answers: tuple[str, str]
    truth: str
    scores: tuple[list[float], list[float]]
    present: list[bool]


def draw_examples(examples: Sequence[Example], names: Sequence[str], path: Path) -> None:
    """Stack the examples in one figure and write it."""
    count, _, height, width = examples[0].clips[0].shape
    tile_height, tile_width = tile_inches(height, width)
    answers_at = _MARGIN + _SIDE + count * (tile_width + 0.04) + 0.15
    block = _HEAD + max(2 * tile_height + 0.04, _BAR_ROW * len(names))
    bars_at = answers_at + _ANSWER + _NAMES
    total = _TOP + len(examples) * (block + _GAP)
    figure = new_figure(bars_at + _BARS + _NUMBERS + _MARGIN, total)
    _write_title(figure, bars_at)
    for index, example in enumerate(examples):
        top = _TOP + index * (block + _GAP)
        text_in_inches(figure, _MARGIN, top, f"truth: {example.truth}", bold=True)
        _draw_sides(figure, example, top + _HEAD, answers_at, tile_height)
        axes = axes_in_inches(figure, bars_at, top + _HEAD, _BARS, _BAR_ROW * len(names))
        _draw_scores(axes, example, names)
    save_figure(figure, path)


def is_right(answer: str, truth: str) -> bool:
    """Return whether an answer equals the truth but for case and surrounding space."""
    return answer.strip().casefold() == truth.strip().casefold()


def _write_title(figure: Figure, bars_at: float) -> None:
    text_in_inches(figure, _MARGIN, 0.15, "Before and after", size=TITLE, bold=True)
    note = "What the MLLM sees and answers (✓ right, ✗ wrong)."
    text_in_inches(figure, _MARGIN, 0.4, note, size=SMALL, color=MUTED)
    left = bars_at - 1.15
    text_in_inches(figure, left, 0.15, "Attacker's scores", bold=True)
    text_in_inches(figure, left, 0.4, "raw", size=SMALL, color=MUTED, bold=True)
    text_in_inches(
        figure, left + 0.3, 0.4, "anonymized, retrained", size=SMALL, color=OURS, bold=True
    )
    text_in_inches(figure, left + 1.75, 0.4, "● really present", size=SMALL, color=INK)


def _draw_sides(
    figure: Figure, example: Example, top: float, answers_at: float, tile_height: float
) -> None:
    for side, name in enumerate(("raw", "anonymized")):
        row = top + side * (tile_height + 0.04)
        middle = row + tile_height / 2
        color = (MUTED, OURS)[side]
        text_in_inches(
            figure, _MARGIN, middle, name, size=SMALL, color=color, align="center", bold=True
        )
        draw_clip(figure, example.clips[side], _MARGIN + _SIDE, row)
        _write_answer(figure, example.answers[side], example.truth, answers_at, middle)


def _write_answer(figure: Figure, answer: str, truth: str, left: float, middle: float) -> None:
    right = is_right(answer, truth)
    color, mark = (CORRECT, "✓") if right else (WRONG, "✗")
    lines = textwrap.wrap(answer.strip() or "(no answer)", 17, max_lines=3, placeholder=" …")
    text_in_inches(figure, left, middle, mark, size=13, color=color, align="center", bold=True)
    text = "\n".join(lines)
    text_in_inches(figure, left + 0.22, middle, text, color=color, align="center", italic=not right)


def _draw_scores(axes: Axes, example: Example, names: Sequence[str]) -> None:
    """Draw two bars per attribute, raw above anonymized, names on the left."""
    axes.set_xlim(0, 1)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_yticks([])
    tidy(axes)
    axes.grid(visible=False, axis="y")
    for side, (scores, color) in enumerate(zip(example.scores, _COLORS, strict=True)):
        for row, score in enumerate(scores):
            middle = row + (-0.18, 0.18)[side]
            axes.barh(middle, score, height=0.32, color=color, linewidth=0)
            note: Style = {
                "va": "center",
                "ha": "left",
                "fontsize": 6,
                "color": (MUTED, OURS)[side],
            }
            axes.text(score + 0.03, middle, f"{score:.2f}", **note)
    place = axes.get_yaxis_transform()
    for row, (name, present) in enumerate(zip(names, example.present, strict=True)):
        style: Style = {"fontsize": SMALL, "color": INK if present else MUTED}
        label = f"{_shorten(name, 19)} {'●' if present else '○'}"
        axes.text(-0.04, row, label, transform=place, ha="right", va="center", **style)


def _shorten(name: str, length: int) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"
