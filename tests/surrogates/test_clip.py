"""A local model that stands in for the black box."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from blackbox_anon.errors import WeightsNotFoundError
from blackbox_anon.surrogates import ClipSurrogate
from blackbox_anon.weights import save_weights
from blackbox_anon.world import PeopleWorld


def test_a_sample_is_answered_alike_whoever_else_is_asked_about() -> None:
    surrogate, clips = ClipSurrogate(5, width=4), torch.rand(3, 2, 3, 16, 16)
    alone = torch.cat([surrogate(clip[None]) for clip in clips])
    torch.testing.assert_close(surrogate(clips), alone)


def test_an_image_is_a_clip_of_one_frame() -> None:
    surrogate, images = ClipSurrogate(5, width=4), torch.rand(3, 3, 20, 16)
    torch.testing.assert_close(surrogate(images), surrogate(images.unsqueeze(1)))


def test_order_in_time_counts() -> None:
    surrogate, clip = ClipSurrogate(5, width=4), torch.rand(1, 4, 3, 16, 16)
    assert not torch.allclose(surrogate(clip), surrogate(clip.flip(1)), atol=1e-4)


def test_it_looks_at_some_of_the_frames() -> None:
    whole, clips = ClipSurrogate(5, width=4), torch.rand(2, 5, 3, 16, 16)
    some = ClipSurrogate(5, width=4, frame_stride=2)
    some.load_state_dict(whole.state_dict())
    torch.testing.assert_close(some(clips), whole(clips[:, [0, 2, 4]]))
    torch.testing.assert_close(some(clips[:, 0]), whole(clips[:, 0]))


def test_it_can_be_differentiated() -> None:
    surrogate = ClipSurrogate(3, width=4).double()
    clips = torch.rand(2, 2, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 2])
    assert torch.autograd.gradcheck(
        lambda frames: functional.cross_entropy(surrogate(frames), labels), clips, fast_mode=True
    )


@torch.no_grad()
def test_the_shipped_one_knows_the_actions() -> None:
    world = PeopleWorld("test", length=100, seed=77)  # a world that it was not trained on
    clips = torch.stack([world.frames(i) for i in range(len(world))]).float() / 255
    labels = torch.tensor([world.scene(i).action for i in range(len(world))])
    surrogate = ClipSurrogate(len(world.classes), frame_stride=2, weights="peopleworld")
    assert (surrogate(clips).argmax(1) == labels).float().mean() > 0.9


def test_weights_come_back_from_their_file(tmp_path: Path) -> None:
    surrogate, clips = ClipSurrogate(4, width=8), torch.rand(2, 2, 3, 16, 16)
    save_weights(surrogate, tmp_path / "mine.safetensors")
    again = ClipSurrogate(4, width=8, weights=str(tmp_path / "mine.safetensors"))
    torch.testing.assert_close(again(clips), surrogate(clips), rtol=0, atol=0)


def test_weights_of_other_classes_are_refused() -> None:
    with pytest.raises(WeightsNotFoundError, match="`weights` must fit ClipSurrogate"):
        ClipSurrogate(4, weights="peopleworld")


@pytest.mark.parametrize(
    "chosen", [{"num_classes": 1}, {"width": 6}, {"width": 0}, {"frame_stride": 0}]
)
def test_arguments_are_checked(chosen: dict[str, int]) -> None:
    (name,) = chosen
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        ClipSurrogate(**({"num_classes": 4} | chosen))  # type: ignore[arg-type]
