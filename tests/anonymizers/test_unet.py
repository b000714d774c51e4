import copy

import pytest
import torch
from torch import nn

from blackbox_anon.anonymizers import UNetAnonymizer
from blackbox_anon.anonymizers.blocks import channel_max_pool
from blackbox_anon.anonymizers.light_decoder import pixel_shuffle

NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm, nn.LocalResponseNorm)


def make(width: int = 4, depth: int = 3) -> UNetAnonymizer:
    return UNetAnonymizer("tu-tf_mobilenetv3_small_minimal_100", depth=depth, width=width)


@pytest.mark.parametrize("shape", [(2, 3, 64, 64), (1, 2, 3, 50, 70), (1, 3, 33, 31)])
def test_keeps_shape_and_range(shape: tuple[int, ...]) -> None:
    frames = torch.rand(shape)
    anonymized = make()(frames)
    assert anonymized.shape == shape
    assert (anonymized >= 0).all()
    assert (anonymized <= 1).all()


@pytest.mark.parametrize("shape", [(3, 64, 64), (2, 1, 64, 64), (1, 1, 1, 3, 64, 64)])
def test_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"`frames` must be .*; found"):
        make()(torch.rand(shape))


def test_frames_of_a_clip_do_not_mix() -> None:
    model, clip = make().eval(), torch.rand(1, 3, 3, 48, 40)
    each = torch.stack([model(clip[:, t]) for t in range(3)], dim=1)
    torch.testing.assert_close(model(clip), each)


def test_paper_configuration_trains_about_nine_thousand_parameters() -> None:
    model = UNetAnonymizer()
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert trained == sum(p.numel() for p in model.trained.parameters())
    assert abs(trained - 9000) <= 1000


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_decoder_has_no_normalization(depth: int) -> None:
    model = make(depth=depth)
    assert not [m for m in model.decoder.modules() if isinstance(m, NORMS)]
    assert not list(model.decoder.buffers())


def test_encoder_is_frozen_in_use_and_thawed_for_reconstruction() -> None:
    model = make()
    before = copy.deepcopy(model.state_dict())
    model.train()(torch.rand(2, 3, 32, 32)).sum().backward()
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(p.grad is None for p in model.encoder.parameters())
    assert all(p.grad is not None for p in model.decoder.parameters())
    model.freeze_encoder(frozen=False)(torch.rand(2, 3, 32, 32)).sum().backward()
    assert any(p.grad is not None for p in model.encoder.parameters())
    assert any(not torch.equal(before[n], t) for n, t in model.state_dict().items())
    model.freeze_encoder()
    assert not any(m.training for m in model.encoder.modules())
    assert not any(p.requires_grad for p in model.encoder.parameters())


def test_decode_takes_a_stand_in() -> None:
    model, frames = make(), torch.rand(1, 3, 40, 40)
    features = model.features(frames)
    assert torch.equal(model.decode(features, frames), model(frames))
    assert not model.decode(
        features, frames, lambda levels: 0 * levels[0][:, :3].repeat(1, 1, 2, 2)
    ).any()


@pytest.mark.parametrize("depth", [1, 6])
def test_refuses_depth(depth: int) -> None:
    with pytest.raises(ValueError, match=f"`depth` must be between 2 and 5; found {depth}"):
        UNetAnonymizer(depth=depth)


@pytest.mark.parametrize(("count", "channels"), [(8, 4), (12, 5), (7, 3), (5, 4), (3, 3), (2, 6)])
def test_channel_max_pool_is_a_loop_over_groups(count: int, channels: int) -> None:
    features = torch.randn(2, count, 3, 4)
    kept = min(count, channels)
    groups = [
        features[:, i * count // kept : -(-(i + 1) * count // kept)].max(1).values
        for i in range(kept)
    ]
    assert torch.equal(channel_max_pool(features, channels), torch.stack(groups, 1))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("factor", [2, 3])
def test_pixel_shuffle_is_pytorchs(factor: int, layout: torch.memory_format) -> None:
    features = torch.rand(2, 2 * factor**2, 3, 5).contiguous(memory_format=layout)
    found = pixel_shuffle(features, factor)
    assert torch.equal(found, torch.nn.functional.pixel_shuffle(features, factor))
    assert found.is_contiguous()
