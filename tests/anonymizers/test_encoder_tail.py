"""What an encoder computes beyond the deepest level is left out, and changes nothing."""

import copy

import pytest
import segmentation_models_pytorch as smp
import torch
from timm.layers import Conv2dSame
from torch import nn

from blackbox_anon.anonymizers import UNetAnonymizer
from blackbox_anon.anonymizers.encoder_tail import drop_unused_blocks, pad_kernels

TIMM = "tu-tf_mobilenetv3_small_minimal_100"


@pytest.mark.parametrize("name", [TIMM, "tu-efficientnet_b0", "tu-resnet18", "resnet18"])
def test_levels_are_the_same(name: str) -> None:
    whole = smp.encoders.get_encoder(name, depth=3, weights=None).eval()
    cut = drop_unused_blocks(smp.encoders.get_encoder(name, depth=3, weights=None)).eval()
    cut.load_state_dict(whole.state_dict())
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        for expected, found in zip(whole(images), cut(images), strict=True):
            assert found.equal(expected)


@pytest.mark.parametrize("name", [TIMM, "tu-efficientnet_b0"])
def test_every_block_that_is_left_is_used(name: str) -> None:
    encoder = drop_unused_blocks(smp.encoders.get_encoder(name, depth=3, weights=None)).train()
    sum(level.square().sum() for level in encoder(torch.rand(2, 3, 32, 32))).backward()
    assert [key for key, p in encoder.named_parameters() if p.grad is None] == []


def test_all_of_a_deep_encoder_is_left() -> None:
    whole = smp.encoders.get_encoder(TIMM, depth=5, weights=None)
    keys = list(whole.state_dict())
    assert list(drop_unused_blocks(whole).state_dict()) == keys


def test_other_unknown_weights_are_still_refused() -> None:
    anonymizer = UNetAnonymizer(TIMM, depth=3, width=16)
    state = anonymizer.state_dict()
    state["encoder.model.blocks.5.0.conv.weight"] = torch.zeros(1)  # of a block that was removed
    anonymizer.load_state_dict(state)
    state["encoder.model.blocks.0.0.other.weight"] = torch.zeros(1)
    with pytest.raises(RuntimeError, match=r"blocks\.0\.0\.other\.weight"):
        anonymizer.load_state_dict(state)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_frames_are_left_as_they_are(layout: torch.memory_format) -> None:
    anonymizer = UNetAnonymizer(TIMM, depth=3, width=16).eval()
    frames = torch.rand(2, 3, 32, 32).contiguous(memory_format=layout)
    before = frames.clone()
    plain = anonymizer.features(frames)
    assert frames.equal(before)
    with_graph = anonymizer.features(frames.clone().requires_grad_())
    for one, other in zip(plain, with_graph, strict=True):
        assert one.equal(other)


@pytest.mark.parametrize("size", [(32, 48), (33, 32), (31, 45)])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_zeros_in_the_kernel_are_zeros_around_the_input(kernel: int, size: tuple[int, int]) -> None:
    plain = Conv2dSame(4, 4, kernel, stride=2, groups=2)
    padded = pad_kernels(nn.Sequential(copy.deepcopy(plain)))
    assert padded.state_dict().keys() == {"0.weight", "0.bias"}
    x = torch.rand(2, 4, *size)
    torch.testing.assert_close(padded(x), plain(x))


def test_other_convolutions_are_left_alone() -> None:
    layers = nn.Sequential(nn.Conv2d(3, 3, 3, 2), Conv2dSame(3, 3, 3), Conv2dSame(3, 3, 4, 2))
    classes = [type(layer) for layer in layers]
    assert [type(layer) for layer in pad_kernels(layers)] == classes
