"""Our PNG files, read by a decoder that is not ours."""

import zlib
from io import BytesIO

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from blackbox_anon.services.png import png


def decoded(file: bytes) -> Tensor:
    with Image.open(BytesIO(file)) as image:
        image.verify()  # the checksums
    with Image.open(BytesIO(file)) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        return torch.from_numpy(np.array(image)).permute(2, 0, 1)


@given(
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    levels=st.sampled_from([1, 2, 256]),
    seed=st.integers(0, 99),
    compression=st.integers(0, 9),
)
def test_every_frame_comes_back(
    height: int, width: int, levels: int, seed: int, compression: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    frame = torch.randint(0, levels, (3, height, width), generator=generator).to(torch.uint8)
    frame = frame * (255 // max(1, levels - 1))
    assert torch.equal(decoded(png(frame, compression)), frame)


def test_views_are_written_as_they_look() -> None:
    clip = torch.randint(0, 256, (2, 9, 7, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    for frame in (clip[1], clip[0, :, ::2, ::3], clip[0].flip(2)):
        assert torch.equal(decoded(png(frame)), frame)


@pytest.mark.parametrize("compression", [1, 6])
def test_what_is_smooth_or_flat_becomes_smaller(compression: int) -> None:
    flat = torch.full((3, 64, 64), 77, dtype=torch.uint8)
    ramp = torch.arange(64, dtype=torch.uint8).expand(3, 64, 64) * 3
    for frame in (flat, ramp):
        assert len(png(frame, compression)) < 0.02 * frame.numel()
    noise = torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8)
    assert len(png(noise, compression)) < 1.02 * noise.numel()


def test_a_damaged_file_would_be_noticed() -> None:
    file = bytearray(png(torch.zeros(3, 8, 8, dtype=torch.uint8)))
    assert zlib.crc32(file[12:29]).to_bytes(4, "big") == file[29:33]
    file[45] ^= 1
    with pytest.raises((SyntaxError, OSError)):
        decoded(bytes(file))
