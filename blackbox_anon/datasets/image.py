"""Read one photograph as RGB, upright, whatever its mode and size."""

import struct
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from blackbox_anon.datasets.resizing import Crop, resize
from blackbox_anon.datasets.unreadable import UnreadableFileError

DRAFT_ABOVE_PIXELS = 20_000_000  # decode larger JPEGs at a fraction, or 4 workers need gigabytes
DRAFT_MARGIN = 2  # decode to at least twice the final side, so that our own resize sets the pixels

FAILURES = (
    OSError,  # includes UnidentifiedImageError and truncated files
    SyntaxError,  # Pillow's answer to a broken PNG
    ValueError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
)


def read_image(path: str | Path, size: int | None, *, crop: Crop = "center") -> Tensor:
    """Read an image file.

    Grey, palette, CMYK and four-channel images become RGB; the EXIF orientation is applied. A JPEG
    of more than 20 megapixels is decoded at a fraction. What is still beyond Pillow's
    decompression-bomb limit then (89 megapixels) counts as unreadable.

    Args:
        path: The file; its content decides the format, not its suffix.
        size: Side of the result; ``None`` keeps the native size.
        crop: See :func:`~blackbox_anon.datasets.resize`.

    Returns:
        Shape ``(3, H, W)``, uint8, RGB.

    Raises:
        UnreadableFileError: If the file is missing or cannot be decoded.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="PIL")  # damaged EXIF: pixels are still good
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # asked below
            pixels = _decode(Path(path), size)
    except FAILURES as error:
        raise UnreadableFileError(path, f"{type(error).__name__}: {error}") from error
    return resize(torch.from_numpy(pixels).permute(2, 0, 1).contiguous(), size, crop=crop)


def _decode(path: Path, size: int | None) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(path) as image:
        if size is not None and image.width * image.height > DRAFT_ABOVE_PIXELS:
            image.draft(None, (DRAFT_MARGIN * size, DRAFT_MARGIN * size))
        limit = Image.MAX_IMAGE_PIXELS
        if limit is not None and image.width * image.height > limit:
            found = f"{image.width} x {image.height} pixels, more than {limit}"
            raise Image.DecompressionBombError(found)
        return np.array(ImageOps.exif_transpose(image).convert("RGB"))
