"""The one resize every image and clip goes through, so that pixels never depend on a decoder."""

from typing import Literal, get_args

from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

Crop = Literal["center", "stretch"]


def resize(frames: Tensor, size: int | None, *, crop: Crop = "center") -> Tensor:
    """Bring frames to ``size`` x ``size`` pixels, antialiased.

    Args:
        frames: Shape ``(..., 3, H, W)``, uint8.
        size: Side of the result; ``None`` leaves the frames as they are.
        crop: ``center`` scales the short side to ``size`` and cuts the middle;
            ``stretch`` scales both sides and gives up the aspect ratio.

    Returns:
        Shape ``(..., 3, size, size)``, uint8.

    Raises:
        ValueError: If ``size`` is not positive or ``crop`` is unknown.
    """
    check_resize(size, crop)
    if size is None:
        return frames
    if crop == "stretch":
        stretched: Tensor = transforms.resize(frames, [size, size], antialias=True)
        return stretched
    scaled = transforms.resize(frames, [size], antialias=True)
    centre: Tensor = transforms.center_crop(scaled, [size, size])
    return centre


def check_resize(size: int | None, crop: Crop) -> None:
    """Refuse what :func:`resize` would refuse, before any file is opened.

    Args:
        size: Side in pixels, or ``None``.
        crop: ``center`` or ``stretch``.

    Raises:
        ValueError: If ``size`` is not positive or ``crop`` is unknown.
    """
    if size is not None and size < 1:
        raise ValueError(f"size: expected a positive number of pixels, found {size}")
    if crop not in get_args(Crop):
        raise ValueError(f"crop: expected 'center' or 'stretch', found {crop!r}")
