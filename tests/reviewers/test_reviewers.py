from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from blackbox_anon.reviewers import (
    AttributeReviewer,
    ReviewerEnsemble,
    cross_entropy_to_half,
    entropy_gap,
)

LOGITS = st.lists(st.floats(-30, 30), min_size=1, max_size=12)
MakeLoss = Callable[[Tensor], Tensor]


def reviewer(seed: int = 0, num_attributes: int = 3) -> AttributeReviewer:
    torch.manual_seed(seed)
    return AttributeReviewer("test_resnet", num_attributes)


@given(LOGITS)
def test_entropy_gap_against_numpy(logits: list[float]) -> None:
    p = 1 / (1 + np.exp(-np.array(logits)))
    q = 1 / (1 + np.exp(np.array(logits)))
    reference = np.mean(np.log(2) + p * np.log(p) + q * np.log(q))
    found = entropy_gap(torch.tensor(logits, dtype=torch.float64)).item()
    assert found == pytest.approx(reference, abs=1e-8)  # torch's softplus is linear from 20 on
    assert 0 <= found <= np.log(2)


@given(LOGITS)
def test_cross_entropy_to_half_against_numpy(logits: list[float]) -> None:
    x = np.array(logits)
    reference = np.mean(0.5 * np.log1p(np.exp(-x)) + 0.5 * np.log1p(np.exp(x)))
    found = cross_entropy_to_half(torch.tensor(logits, dtype=torch.float64)).item()
    assert found == pytest.approx(reference, abs=1e-8)  # torch's softplus is linear from 20 on
    assert found >= np.log(2) - 1e-8


@pytest.mark.parametrize(
    ("loss", "least"), [(entropy_gap, 0.0), (cross_entropy_to_half, float(np.log(2)))]
)
def test_privacy_loss_is_least_at_one_half(loss: MakeLoss, least: float) -> None:
    ignorant = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    value = loss(ignorant)
    assert value.item() == pytest.approx(least, abs=1e-15)
    (gradient,) = torch.autograd.grad(value, ignorant)
    assert gradient.abs().max() < 1e-15
    for logit in (-3.0, -0.1, 0.1, 3.0):
        assert loss(torch.full((2, 3), logit, dtype=torch.float64)) > value
    torch.testing.assert_close(loss(torch.tensor([[1.7]])), loss(torch.tensor([[-1.7]])))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_label_smoothing_is_a_mixture_with_one_half(smoothing: float) -> None:
    torch.manual_seed(0)
    model = AttributeReviewer("test_resnet", 3, label_smoothing=smoothing).eval()
    frames, attributes = torch.rand(4, 3, 32, 32), torch.randint(2, (4, 3)).float()
    p = model(frames).sigmoid().double().detach().numpy()
    q = (1 - smoothing) * attributes.numpy() + smoothing / 2
    reference = -np.mean(q * np.log(p) + (1 - q) * np.log(1 - p))
    assert model.loss(frames, attributes).item() == pytest.approx(reference, rel=1e-5)


def test_label_smoothing_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`label_smoothing` must be in \[0, 1\); found 1"):
        AttributeReviewer("test_resnet", 3, label_smoothing=1.0)


def test_clip_logits_are_the_mean_over_frames() -> None:
    model, clip = reviewer().eval(), torch.rand(2, 4, 3, 32, 32)
    frames = torch.stack([model(clip[:, t]) for t in range(4)])
    torch.testing.assert_close(model(clip), frames.mean(0))


def test_loss_is_binary_cross_entropy() -> None:
    model, frames = reviewer().eval(), torch.rand(2, 3, 32, 32)
    present = torch.tensor([[1.0, 0, 1], [0, 0, 1]])
    p = model(frames).sigmoid().detach().numpy()
    reference = -np.mean(np.where(present.numpy() == 1, np.log(p), np.log(1 - p)))
    assert model.loss(frames, present).item() == pytest.approx(reference, rel=1e-5)


@pytest.mark.parametrize("name", ["entropy_gap", "cross_entropy_to_half"])
def test_privacy_loss_reaches_the_frames(name: str) -> None:
    model = AttributeReviewer("test_resnet", 3, privacy_loss=name)  # type: ignore[arg-type]  # one of two
    frames = torch.rand(2, 3, 32, 32, requires_grad=True)
    model.privacy_loss(frames).backward()
    assert frames.grad is not None
    assert frames.grad.any()


def test_vision_transformer_takes_an_image_size() -> None:
    model = AttributeReviewer("test_vit", 5, image_size=64)
    assert model(torch.rand(1, 2, 3, 64, 64)).shape == (1, 5)
    model.restart(1)
    assert model(torch.rand(1, 3, 64, 64)).shape == (1, 5)


def test_ensemble_counts_its_worst_member() -> None:
    members = [reviewer(seed).eval() for seed in range(3)]
    ensemble, frames = ReviewerEnsemble(members), torch.rand(2, 3, 32, 32)
    each = torch.stack([member.privacy_loss(frames) for member in members])
    assert torch.equal(ensemble.privacy_loss(frames), each.max())
    present = torch.ones(2, 3)
    losses = torch.stack([member.loss(frames, present) for member in members])
    torch.testing.assert_close(ensemble.loss(frames, present), losses.sum())
    logits = torch.stack([member(frames) for member in members])
    torch.testing.assert_close(ensemble(frames), logits.mean(0))


@pytest.mark.parametrize("generation", [1, 2, 5])
def test_restart_changes_one_member_and_always_alike(generation: int) -> None:
    def restarted(seed: int) -> list[dict[str, Tensor]]:
        ensemble = ReviewerEnsemble([reviewer(10 + member) for member in range(3)])
        torch.manual_seed(seed)
        state = torch.get_rng_state()
        ensemble.restart(generation)
        assert torch.equal(torch.get_rng_state(), state), "the global generator was used"
        return [member.state_dict() for member in ensemble.members]

    before = [reviewer(10 + member).state_dict() for member in range(3)]
    first, second = restarted(7), restarted(8)
    changed = [not same(a, b) for a, b in zip(before, first, strict=True)]
    assert changed == [member == generation % 3 for member in range(3)]
    assert all(same(a, b) for a, b in zip(first, second, strict=True))


def test_generations_begin_differently() -> None:
    model = reviewer()
    model.restart(1)
    first = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.restart(2)
    assert not same(first, model.state_dict())


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AttributeReviewer("test_resnet", 0), "`num_attributes` must be positive; found 0"),
        (
            lambda: AttributeReviewer("test_resnet", 2, privacy_loss="none"),  # type: ignore[arg-type]  # wrong on purpose
            "`privacy_loss` must be one of .*; found 'none'",
        ),
        (lambda: ReviewerEnsemble([]), "`members` must hold at least one reviewer"),
    ],
)
def test_refuses(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
