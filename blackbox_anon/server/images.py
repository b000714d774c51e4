"""Pictures out of a request: exactly the pixels that were sent."""

import base64
import binascii
import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from blackbox_anon.server.api_error import wrong

_FORMATS = {"data:image/png": "PNG", "data:image/webp": "WEBP", "data:image/jpeg": "JPEG"}
_PARAM = "image_url.url"


def decode_image(url: object) -> Tensor:
    """Decode a ``data:`` URI.

    Args:
        url: ``data:image/png;base64,...``, or webp, or jpeg. Nothing is fetched from elsewhere.

    Returns:
        uint8 ``(3, H, W)``; a picture with transparency loses it.

    Raises:
        ApiError: If it is anything else, or its bytes are no such picture.
    """
    head, _, payload = url.partition(";base64,") if isinstance(url, str) else ("", "", "")
    if head not in _FORMATS:
        raise wrong(_PARAM, "a base64 data URI of a png, webp or jpeg", url)
    try:
        with Image.open(io.BytesIO(base64.b64decode(payload, validate=True))) as image:
            if image.format != _FORMATS[head] or getattr(image, "n_frames", 1) != 1:
                raise wrong(_PARAM, f"one picture of the declared type {head}", image.format)
            pixels = np.array(image.convert("RGB"))
    except (OSError, ValueError, binascii.Error, Image.DecompressionBombError) as error:
        raise wrong(_PARAM, "a picture that can be decoded", str(error)) from error
    return torch.from_numpy(pixels).permute(2, 0, 1)


def stack_frames(images: list[Tensor]) -> Tensor:
    """Stack the frames of one clip, uint8 ``(T, 3, H, W)``.

    Raises:
        ApiError: If their sizes differ.
    """
    sizes = {tuple(image.shape) for image in images}
    if len(sizes) != 1:
        raise wrong("messages", "frames of one size", sorted(sizes))
    return torch.stack(images)
