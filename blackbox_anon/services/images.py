"""Frames as a service takes them: files, written into the request."""

import base64
from io import BytesIO
from typing import Literal, get_args

from PIL import Image
from torch import Tensor

from blackbox_anon.services.png import png

ImageFormat = Literal["png", "webp", "jpeg"]
IMAGE_FORMATS: tuple[ImageFormat, ...] = get_args(ImageFormat)


def data_uri(frame: Tensor, image_format: ImageFormat, compression: int = 1) -> str:
    """Write one frame as a data URI.

    The same frame gives the same text, with the same releases of zlib and Pillow.

    Args:
        frame: uint8 ``(3, H, W)``.
        image_format: ``png`` and lossless ``webp`` keep every value; ``jpeg`` (quality 95, no
            chroma subsampling) does not.
        compression: Effort from 0 to 9: PNG's level, or WebP's method (0 to 6). Sizes hardly fall
            above 1, times rise.

    Returns:
        ``data:image/...;base64,...``.

    Example:
        >>> import torch
        >>> data_uri(torch.zeros(3, 2, 2, dtype=torch.uint8), "png")[:30]
        'data:image/png;base64,iVBORw0K'
    """
    written = base64.b64encode(_file(frame, image_format, compression)).decode()
    return f"data:image/{image_format};base64,{written}"


def _file(frame: Tensor, image_format: ImageFormat, compression: int) -> bytes | memoryview:
    if image_format == "png":
        return png(frame, compression)
    file = BytesIO()
    image = Image.fromarray(frame.permute(1, 2, 0).contiguous().cpu().numpy())
    if image_format == "webp":
        image.save(file, "WEBP", lossless=True, quality=0, method=min(compression, 6))
    else:
        image.save(file, "JPEG", quality=95, subsampling=0)
    return file.getbuffer()
