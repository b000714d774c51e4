"""Photometric and geometric variation of raw clips while the embedded MLLM is trained.

Real MLLMs were trained on every kind of picture; without this a tiny one fails on the faintest
change of colour, and every anonymizer would look bad for the wrong reason.
"""

import torch
from torch import Tensor
from torch.nn import functional


def _some(batch: int, share: float, generator: torch.Generator) -> Tensor:
    return (torch.rand(batch, generator=generator) < share).view(-1, 1, 1, 1, 1)


def _uniform(batch: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(batch, 1, 1, 1, 1, generator=generator)


def augment(clips: Tensor, generator: torch.Generator, share: float = 0.35) -> Tensor:
    """Vary clips; the same change for all frames of a clip.

    Args:
        clips: ``(B, T, 3, H, W)`` in ``[0, 1]``.
        generator: Source of all randomness.
        share: Probability of each strong change (grey, colour matrix, flat or harsh contrast, two
            tones, blur, noise); some happen less often.

    Returns:
        Clips of the same shape and range.
    """
    batch, frames = clips.shape[:2]
    clips = clips * _uniform(batch, 0.8, 1.2, generator)
    grey = clips.mean(2, keepdim=True).expand_as(clips)
    clips = torch.where(_some(batch, share / 2, generator), grey, clips)
    mixing = torch.eye(3) + 0.35 * torch.randn(batch, 1, 3, 3, generator=generator)
    mixed = torch.einsum("btij,btjhw->btihw", mixing.expand(batch, frames, 3, 3), clips)
    clips = torch.where(_some(batch, share, generator), mixed, clips)
    middle = clips.mean((1, 2, 3, 4), keepdim=True)
    flat = middle + (clips - middle) * _uniform(batch, 0.35, 1.2, generator)
    clips = torch.where(_some(batch, share, generator), flat, clips)
    pivot = middle + _uniform(batch, -0.15, 0.15, generator)
    harsh = 0.5 + (clips - pivot) * _uniform(batch, 1.5, 6.0, generator)
    clips = torch.where(_some(batch, share, generator), harsh.clamp(0, 1), clips)
    levels = (12 * (clips.mean(2, keepdim=True) - pivot)).sigmoid().expand_as(clips)
    tint = torch.rand(batch, 1, 3, 1, 1, generator=generator)
    tinted = (levels * tint + (1 - levels) * (1 - tint.flip(2))).clamp(0, 1)
    clips = torch.where(_some(batch, share / 4, generator), tinted, clips)
    soft = functional.avg_pool2d(clips.flatten(0, 1), 3, 1, 1, count_include_pad=False)
    clips = torch.where(_some(batch, share / 2, generator), soft.view_as(clips), clips)
    noise = 0.06 * torch.randn(clips.shape, generator=generator)
    clips = torch.where(_some(batch, share / 2, generator), clips + noise, clips)
    shifts = torch.randint(-4, 5, (batch, 2), generator=generator)
    moved = [
        torch.roll(clip, (int(dy), int(dx)), (-2, -1))
        for clip, (dy, dx) in zip(clips, shifts, strict=True)
    ]
    return torch.stack(moved).clamp(0, 1)
