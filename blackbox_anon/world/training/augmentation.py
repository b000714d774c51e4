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


def distort(clips: Tensor, generator: torch.Generator) -> Tensor:
    """Take colours, light, texture or sharpness from clips, and leave what moves where.

    Args:
        clips: ``(B, T, 3, H, W)`` in ``[0, 1]``.
        generator: Source of all randomness.

    Returns:
        Clips of the same shape and range: varied as by :func:`augment`, then each of these for
        about every third clip: passed through a random convolution, darkened, coarse, overlaid
        with a fine pattern.

    Reference:
        Random convolutions keep shapes and change textures: Xu et al., ICLR 2021.
    """
    batch = len(clips)
    clips = augment(clips, generator, share=0.4)
    clips = torch.where(_some(batch, 0.4, generator), _convolved(clips, generator), clips)
    gamma = torch.exp2(_uniform(batch, -1.0, 2.3, generator))
    darker = clips.clamp_min(1e-4) ** gamma * _uniform(batch, 0.4, 1.0, generator)
    clips = torch.where(_some(batch, 0.35, generator), darker, clips)
    coarse = functional.avg_pool2d(clips.flatten(0, 1), 2)
    size = clips.shape[-2:]
    coarse = functional.interpolate(coarse, size, mode="bilinear").view_as(clips)
    clips = torch.where(_some(batch, 0.25, generator), coarse, clips)
    pattern = torch.rand(batch, 1, 3, 2, 2, generator=generator)
    pattern = pattern / pattern.amax((1, 2, 3, 4), keepdim=True)
    pattern = pattern.repeat(1, 1, 1, -(-size[0] // 2), -(-size[1] // 2))[..., : size[0], : size[1]]
    clips = torch.where(_some(batch, 0.35, generator), clips * pattern, clips)
    return clips.clamp(0, 1)


def _convolved(clips: Tensor, generator: torch.Generator) -> Tensor:
    """Each clip through a random 3x3 convolution of its own, brought back to a random contrast."""
    batch, frames, _, height, width = clips.shape
    size = 3 * batch
    kernels = torch.randn(size, 3, 3, 3, generator=generator)
    centre = torch.zeros(3, 3)
    centre[1, 1] = 1.0  # half of the clips only mix their colours
    plain = (torch.rand(batch, generator=generator) < 0.5).repeat_interleave(3)
    kernels = torch.where(plain.view(-1, 1, 1, 1), kernels * centre, kernels)
    stacked = clips.transpose(0, 1).reshape(frames, size, height, width)
    padded = functional.pad(stacked, (1, 1, 1, 1), mode="replicate")
    mixed = functional.conv2d(padded, kernels, groups=batch)
    mixed = mixed.view(frames, batch, 3, height, width).transpose(0, 1)
    middle = mixed.mean((1, 2, 3, 4), keepdim=True)
    spread = mixed.std((1, 2, 3, 4), keepdim=True).clamp_min(1e-4)
    contrast = _uniform(batch, 0.08, 0.3, generator)
    return (_uniform(batch, 0.2, 0.8, generator) + contrast * (mixed - middle) / spread).clamp(0, 1)
