"""One clip as every method shows it to the MLLM."""

import textwrap
from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure
from torch import Tensor

from blackbox_anon.report.frames import check_clips, draw_clip, pick_frames, tile_inches
from blackbox_anon.report.style import (
    INK,
    MUTED,
    OURS,
    SMALL,
    TITLE,
    new_figure,
    save_figure,
    text_in_inches,
)

_LABELS, _TOP, _MARGIN, _GAP = 1.35, 0.75, 0.2, 0.08


def method_strip(
    frames_by_method: Mapping[str, Tensor], path: Path, *, ours: str = "ours", num_frames: int = 6
) -> None:
    """Draw one row of frames per method.

    Args:
        frames_by_method: The same clip under every method, uint8 ``(T, 3, H, W)``, one shape.
        path: PNG to write.
        ours: The method whose name is highlighted.
        num_frames: Frames per row, evenly spaced.

    Raises:
        ValueError: If there is no method, or clips differ in shape or are not uint8.
    """
    _check(frames_by_method)
    clips = {name: pick_frames(clip, num_frames) for name, clip in frames_by_method.items()}
    count, _, height, width = next(iter(clips.values())).shape
    tile_height, tile_width = tile_inches(height, width)
    total_width = max(4.6, _LABELS + count * (tile_width + 0.04) + _MARGIN)
    figure = new_figure(total_width, _TOP + len(clips) * (tile_height + _GAP) + _MARGIN - _GAP)
    text_in_inches(figure, _MARGIN, 0.15, "The same clip under every method", size=TITLE, bold=True)
    note = f"{count} evenly spaced frames, {width} by {height} pixels."
    text_in_inches(figure, _MARGIN, 0.4, note, size=SMALL, color=MUTED)
    for row, (name, clip) in enumerate(clips.items()):
        top = _TOP + row * (tile_height + _GAP)
        _write_name(figure, name, top + tile_height / 2, highlight=name == ours)
        draw_clip(figure, clip, _LABELS, top)
    save_figure(figure, path)


def _write_name(figure: Figure, name: str, middle: float, *, highlight: bool) -> None:
    color = OURS if highlight else INK
    text = "\n".join(textwrap.wrap(name, 15))
    text_in_inches(figure, _MARGIN, middle, text, color=color, bold=highlight, align="center")


def _check(frames_by_method: Mapping[str, Tensor]) -> None:
    for name, clip in frames_by_method.items():
        check_clips(clip, f"frames_by_method[{name!r}]", 4)
    shapes = {tuple(clip.shape) for clip in frames_by_method.values()}
    if len(shapes) != 1:
        raise ValueError(f"frames_by_method: expected clips of one shape, found {sorted(shapes)}.")
