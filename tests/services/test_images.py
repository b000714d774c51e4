import base64
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from blackbox_anon.services import IMAGE_FORMATS, ImageFormat, data_uri


def decoded(uri: str) -> Tensor:
    head, _, data = uri.partition(",")
    with Image.open(BytesIO(base64.b64decode(data, validate=True))) as image:
        assert head == f"data:image/{(image.format or '').lower()};base64"
        assert image.mode == "RGB"
        return torch.from_numpy(np.array(image)).permute(2, 0, 1)


@pytest.mark.parametrize("image_format", ["png", "webp"])
@pytest.mark.parametrize("compression", [0, 1, 9])
def test_lossless_formats_keep_every_value(image_format: ImageFormat, compression: int) -> None:
    frame = torch.randint(0, 256, (3, 9, 7), dtype=torch.uint8)
    assert torch.equal(decoded(data_uri(frame, image_format, compression)), frame)


@pytest.mark.parametrize("image_format", IMAGE_FORMATS)
def test_is_a_function_of_the_pixels(image_format: ImageFormat) -> None:
    frames = torch.randint(0, 256, (2, 3, 9, 7), dtype=torch.uint8)
    frame, other = frames
    assert data_uri(frame, image_format) == data_uri(frame.clone(), image_format)
    assert data_uri(frame, image_format) != data_uri(other, image_format)
    strided = frame.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    assert data_uri(strided, image_format) == data_uri(frame, image_format)


def test_jpeg_erases_what_lossless_formats_keep() -> None:
    frame = torch.full((3, 16, 16), 100, dtype=torch.uint8)
    changed = frame.clone()
    changed[0, ::2, ::2] += 1  # as a small step of the weights does
    assert data_uri(frame, "png") != data_uri(changed, "png")
    assert not torch.equal(decoded(data_uri(changed, "jpeg")), changed)
