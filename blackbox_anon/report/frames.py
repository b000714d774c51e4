"""Rows of video frames, each source pixel an equal square."""

import torch
from matplotlib.figure import Figure
from torch import Tensor

from blackbox_anon.report.style import DPI, axes_in_inches

_TARGET = 192  # pixels of a tile's shorter side: 64 pixel frames three times enlarged


def check_clips(frames: Tensor, argument: str, dims: int) -> None:
    """Raise unless ``frames`` is uint8, not empty, with channels before height and width."""
    if (
        frames.ndim != dims
        or not frames.numel()
        or frames.dtype != torch.uint8
        or frames.shape[-3] != 3
    ):
        letters = "(n, T, 3, H, W)" if dims == 5 else "(T, 3, H, W)"
        found = f"{tuple(frames.shape)} {frames.dtype}"
        raise ValueError(f"{argument}: expected non-empty uint8 {letters}, found {found}.")


def pick_frames(clip: Tensor, count: int) -> Tensor:
    """Return at most ``count`` frames, evenly spaced from the first to the last."""
    places = torch.linspace(0, len(clip) - 1, min(count, len(clip))).round().long()
    return clip[places]


def tile_inches(height: int, width: int) -> tuple[float, float]:
    """Return a tile's height and width, a whole multiple of the frame where it is small."""
    short = min(height, width)
    scale = max(1, round(_TARGET / short)) if short <= _TARGET * 1.5 else _TARGET / short
    return height * scale / DPI, width * scale / DPI


def draw_clip(figure: Figure, clip: Tensor, left: float, top: float, *, gap: float = 0.04) -> float:
    """Draw frames ``(T, 3, H, W)`` side by side and return the row's right end, all in inches."""
    height, width = tile_inches(clip.shape[-2], clip.shape[-1])
    for frame in clip:
        axes = axes_in_inches(figure, left, top, width, height)
        axes.imshow(
            frame.permute(1, 2, 0).cpu().numpy(), interpolation=_method(clip), aspect="auto"
        )
        axes.set_axis_off()
        left += width + gap
    return left - gap


def _method(clip: Tensor) -> str:
    """Choose whole pixels for small frames, smoothing for those that shrink."""
    return "nearest" if min(clip.shape[-2:]) <= _TARGET * 1.5 else "antialiased"
