"""Heuristic baselines: downsampling, blur and black-out."""

from abc import abstractmethod

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.transforms import v2
from typing_extensions import override

from blackbox_anon.anonymizers.abstract import AbstractAnonymizer, as_images
from blackbox_anon.mllms.released import RawFrames

_REFERENCE_SIZE = 224  # frame size that the field's kernel sizes are given for


class Identity(AbstractAnonymizer):
    """Raw data: returns its input."""

    @override
    def forward(self, frames: Tensor) -> Tensor:
        return frames

    @override
    def release(self, anonymized: Tensor) -> RawFrames:
        return RawFrames(anonymized, "the raw baseline")


class Downsample(AbstractAnonymizer):
    """Reduce by a factor and bring back to size, both bilinear without anti-aliasing.

    Args:
        factor: Downsampling factor; the paper's main tables use 2, its Table B8 4 and 8.

    Reference:
        VITA's implementation, described in Wu et al., TPAMI 2020.
    """

    def __init__(self, factor: int = 2) -> None:
        super().__init__()
        if factor < 2:
            msg = f"`factor` must be at least 2; found {factor}"
            raise ValueError(msg)
        self.factor = factor

    @override
    def forward(self, frames: Tensor) -> Tensor:
        images = as_images(frames)
        size = [max(1, s // self.factor) for s in images.shape[-2:]]
        small = functional.interpolate(images, size, mode="bilinear", align_corners=False)
        back = functional.interpolate(
            small, images.shape[-2:], mode="bilinear", align_corners=False
        )
        return back.view_as(frames)


class AbstractRegionAnonymizer(AbstractAnonymizer):
    """Changes given regions only (person boxes), or everything where none are given."""

    @override
    def forward(self, frames: Tensor, regions: Tensor | None = None) -> Tensor:
        """Anonymize the regions.

        Args:
            frames: ``(..., 3, H, W)`` in ``[0, 1]``.
            regions: 1 inside, 0 outside, broadcastable to ``frames``, or ``None`` for everywhere.
        """
        changed = self.change(as_images(frames)).view_as(frames)
        return changed if regions is None else torch.lerp(frames, changed, regions.to(frames.dtype))

    @abstractmethod
    def change(self, images: Tensor) -> Tensor:
        """Obfuscate whole images ``(B, 3, H, W)``."""


class Blur(AbstractRegionAnonymizer):
    """Gaussian blur; kernel and sigma are given at 224 pixels and scaled to the frame's height.

    Args:
        kernel: Kernel size at 224 pixels: 21 is the field's strong, 13 its weak blur.
        sigma: Standard deviation at 224 pixels.
    """

    def __init__(self, kernel: int = 21, sigma: float = 10.0) -> None:
        super().__init__()
        if kernel < 1 or sigma <= 0:
            msg = f"`kernel` and `sigma` must be positive; found {kernel} and {sigma}"
            raise ValueError(msg)
        self.kernel, self.sigma = kernel, sigma

    @override
    def change(self, images: Tensor) -> Tensor:
        scale = images.shape[-2] / _REFERENCE_SIZE
        kernel = max(3, 2 * int(self.kernel * scale / 2) + 1)
        sigma = self.sigma * scale
        blurred: Tensor = v2.functional.gaussian_blur(images, [kernel, kernel], [sigma, sigma])
        return blurred


class BlackOut(AbstractRegionAnonymizer):
    """Paint the regions black."""

    @override
    def change(self, images: Tensor) -> Tensor:
        return torch.zeros_like(images)
