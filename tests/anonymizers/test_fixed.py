import math

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from blackbox_anon.anonymizers import (
    AbstractAnonymizer,
    AbstractRegionAnonymizer,
    BlackOut,
    Blur,
    Downsample,
    Identity,
)

ALL = (Identity(), Downsample(2), Downsample(5), Blur(), Blur(13), BlackOut())


@pytest.mark.parametrize("anonymizer", ALL)
@pytest.mark.parametrize("shape", [(2, 3, 50, 70), (2, 3, 3, 40, 40)])
def test_keeps_shape_range_and_input(
    anonymizer: AbstractAnonymizer, shape: tuple[int, ...]
) -> None:
    frames = torch.rand(shape)
    before = frames.clone()
    anonymized = anonymizer(frames)
    assert anonymized.shape == shape
    assert (anonymized >= 0).all()
    assert (anonymized <= 1 + 1e-6).all()
    assert torch.equal(frames, before)
    assert not list(anonymizer.parameters())


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_downsample_is_two_interpolations(factor: int) -> None:
    clip = torch.rand(1, 2, 3, 32, 48)
    small = interpolate(clip[0], (32 // factor, 48 // factor), mode="bilinear")
    expected = interpolate(small, (32, 48), mode="bilinear")
    assert torch.equal(Downsample(factor)(clip)[0], expected)


def test_downsample_by_two_averages_four_pixels() -> None:
    frames = torch.rand(1, 3, 2, 2)
    expected = frames.mean((-2, -1), keepdim=True).expand_as(frames)
    torch.testing.assert_close(Downsample(2)(frames), expected)


def test_identity_returns_its_input() -> None:
    frames = torch.rand(1, 3, 8, 8)
    assert Identity()(frames) is frames


def test_blur_leaves_a_constant_image() -> None:
    frames = torch.full((1, 3, 64, 48), 0.3)
    torch.testing.assert_close(Blur()(frames), frames)


def test_blur_is_a_gaussian_scaled_to_the_frame() -> None:
    frames = torch.zeros(1, 3, 112, 112)
    frames[..., 56, 56] = 1  # far from the border
    kernel = 2 * math.floor(21 * 0.5 / 2) + 1
    offsets = np.arange(kernel) - kernel // 2
    weights = np.exp(-(offsets**2) / (2 * (10 * 0.5) ** 2))
    weights /= weights.sum()
    half = kernel // 2
    expected = torch.zeros(112, 112)
    expected[56 - half : 57 + half, 56 - half : 57 + half] = torch.from_numpy(
        np.outer(weights, weights)
    )
    torch.testing.assert_close(Blur()(frames)[0, 0], expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("anonymizer", [Blur(), BlackOut()])
def test_regions_are_respected(anonymizer: AbstractRegionAnonymizer) -> None:
    clip = torch.rand(2, 3, 3, 32, 32)
    regions = torch.zeros(2, 3, 1, 32, 32, dtype=torch.uint8)
    regions[..., 5:20, 8:16] = 1
    changed = anonymizer(clip, regions)
    inside = regions.bool().expand_as(clip)
    assert torch.equal(changed[~inside], clip[~inside])
    torch.testing.assert_close(changed[inside], anonymizer(clip)[inside])
    assert not torch.isclose(changed[inside], clip[inside]).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Downsample(1), "`factor` must be at least 2; found 1"),
        (lambda: Blur(0), "`kernel` and `sigma` must be positive; found 0 and 10.0"),
        (lambda: Blur(3, 0.0), "found 3 and 0.0"),
    ],
)
def test_refuses(make: type[AbstractAnonymizer], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
