import pytest
import torch

from blackbox_anon.errors import MLLMError
from blackbox_anon.mllms import AbstractMLLM, to_uint8
from tests.mllms_fakes import ConstantMLLM, ForgetfulMLLM, QuadraticMLLM


def test_cannot_be_instantiated() -> None:
    with pytest.raises(TypeError, match="abstract"):
        AbstractMLLM()  # type: ignore[abstract]  # the point of the test


def test_counts_one_query_per_clip_and_prompt() -> None:
    mllm = ConstantMLLM()
    for size in (3, 2):
        mllm.query(torch.rand(size, 2, 3, 4, 4), ["?"] * size)

    assert mllm.queries == 5


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 6, 3, 4, 5)])
def test_pixels_are_8_bit_clips_at_the_door(shape: tuple[int, ...]) -> None:
    mllm = QuadraticMLLM()
    mllm.query(torch.rand(shape), ["?", "?"])

    [seen] = mllm.seen
    assert seen.dtype == torch.uint8
    assert seen.shape == (2, shape[1] if len(shape) == 5 else 1, 3, 4, 5)


def test_no_gradient_reaches_the_back_end() -> None:
    mllm = QuadraticMLLM()
    frames = torch.rand(1, 3, 4, 4, requires_grad=True)
    with torch.enable_grad():
        mllm.query(frames, ["?"])

    assert not mllm.seen[0].requires_grad
    assert frames.grad is None


def test_changes_below_half_a_level_are_invisible() -> None:
    frames = torch.randint(0, 256, (1, 3, 4, 4)) / 255

    assert torch.equal(to_uint8(frames), to_uint8((frames + 0.4 / 255).clamp(max=1)))


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf")])
def test_refuses_values_that_are_no_pixels(value: float) -> None:
    with pytest.raises(ValueError, match=r"`frames` must be in \[0, 1\]"):
        to_uint8(torch.full((1, 3, 2, 2), value))


@pytest.mark.parametrize("shape", [(3, 4, 4), (1, 1, 4, 4), (1, 2, 1, 4, 4)])
def test_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="`frames` must be"):
        ConstantMLLM().query(torch.rand(shape), ["?"])


def test_refuses_another_number_of_prompts() -> None:
    mllm = ConstantMLLM()
    with pytest.raises(ValueError, match=r"one question per clip \(2\); found 1"):
        mllm.query(torch.rand(2, 3, 4, 4), ["?"])

    assert mllm.queries == 0


def test_lost_answers_are_noticed_and_still_counted() -> None:
    mllm = ForgetfulMLLM()
    with pytest.raises(MLLMError, match="returned 1 responses to 2 prompts"):
        mllm.query(torch.rand(2, 3, 4, 4), ["?", "?"])

    assert mllm.queries == 2
