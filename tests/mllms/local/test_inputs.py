"""What goes into the model, and what is refused before it does."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from blackbox_anon.errors import MLLMError
from blackbox_anon.mllms import HuggingFaceMLLM

QUESTION = "What is the person doing ?"


@pytest.fixture
def frames() -> Tensor:
    return torch.randint(0, 256, (4, 2, 3, 28, 28), dtype=torch.uint8)


def inputs(mllm: HuggingFaceMLLM, frames: Tensor, question: str = "?") -> dict[str, Tensor]:
    mllm.query(frames[:1], ["?"])  # loads it
    assert mllm._loaded is not None
    return mllm._loaded.inputs(frames, [question] * len(frames))


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize(
    ("family", "media"), [("video_llava", "video"), ("video_llava", "images"), ("llava", "images")]
)
def test_levels_are_rescaled_once(
    level: int,
    family: str,
    media: Any,  # noqa: ANN401  # one of two strings
    tiny_folders: dict[str, Path],
) -> None:
    """Black and white are where CLIP's mean and deviation put them."""
    mllm = HuggingFaceMLLM(str(tiny_folders[family]), device="cpu", frames_as=media)
    frames = torch.full((1, 2, 3, 28, 28), level, dtype=torch.uint8)
    [pixels] = [v for k, v in inputs(mllm, frames).items() if k.startswith("pixel_values")]

    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073])
    std = torch.tensor([0.26862954, 0.26130258, 0.27577711])
    expected = ((level / 255 - mean) / std)[:, None, None]
    torch.testing.assert_close(pixels, expected.expand_as(pixels))


def test_area_of_the_frames(tiny_qwen_folder: Path, frames: Tensor) -> None:
    """Twice as wide and high: four times the patches, two by two of which are a token."""
    for width in (28, 56):
        area = width * width
        mllm = HuggingFaceMLLM(
            str(tiny_qwen_folder), device="cpu", min_pixels=area, max_pixels=area
        )
        made = inputs(mllm, frames)
        assert made["video_grid_thw"].tolist() == [[1, width // 14, width // 14]] * len(frames)
        assert made["pixel_values_videos"].shape[0] == len(frames) * (width // 14) ** 2
        assert int(made["mm_token_type_ids"][0].eq(2).sum()) == (width // 28) ** 2


def test_one_limit_leaves_the_other_as_it_was(tiny_qwen_folder: Path, frames: Tensor) -> None:
    mllm = HuggingFaceMLLM(str(tiny_qwen_folder), device="cpu", max_pixels=56 * 56)

    assert inputs(mllm, frames)["video_grid_thw"].tolist() == [[1, 2, 2]] * len(frames)


def test_area_of_a_model_of_one_size(tiny_llava_folder: Path, frames: Tensor) -> None:
    with pytest.raises(MLLMError, match="are for models of any image size; found LlavaFor"):
        HuggingFaceMLLM(str(tiny_llava_folder), min_pixels=9).query(frames[:1], ["?"])


def test_a_single_frame_is_an_image_but_for_video_llava(
    tiny_folders: dict[str, Path], frames: Tensor
) -> None:
    found = {}
    for family, folder in tiny_folders.items():
        mllm = HuggingFaceMLLM(str(folder), device="cpu")
        mllm.query(frames[:1], ["?"])
        assert mllm._loaded is not None
        found[family] = [mllm._loaded.inputs.media(count) for count in (1, 2)]

    assert found == {
        "video_llava": ["video", "video"],
        "llava": ["images", "images"],
        "qwen2_5_vl": ["images", "video"],
    }


def test_a_question_cannot_bring_its_own_frames(tiny_folder: Path, frames: Tensor) -> None:
    mllm = HuggingFaceMLLM(str(tiny_folder), device="cpu")
    with pytest.raises(ValueError, match="`prompts` must not contain '<video>'"):
        mllm.query(frames, ["What is <video> ?"] * 4)


def test_a_prompt_longer_than_the_model(tiny_folder: Path, frames: Tensor) -> None:
    mllm = HuggingFaceMLLM(str(tiny_folder), device="cpu")
    inputs(mllm, frames)
    assert mllm._loaded is not None
    mllm._loaded.model.config.get_text_config().max_position_embeddings = 12
    with pytest.warns(UserWarning, match="takes 18 tokens; the model was made for 12"):
        mllm._loaded.inputs(frames, [QUESTION] * 4)


def test_a_template_that_begins_the_text_itself(tiny_folder: Path, frames: Tensor) -> None:
    """Some chat templates write the first token, which the tokenizer would add again."""
    plain = HuggingFaceMLLM(str(tiny_folder), device="cpu")
    expected = inputs(plain, frames)["input_ids"][0].tolist()
    began = HuggingFaceMLLM(
        str(tiny_folder),
        device="cpu",
        prompt_template="<s>USER: <video>\n{question} ASSISTANT:",
    )

    assert inputs(began, frames)["input_ids"][0].tolist() == [1, *expected]


def test_a_model_that_does_not_read_it(tiny_llava_folder: Path, frames: Tensor) -> None:
    video = HuggingFaceMLLM(str(tiny_llava_folder), frames_as="video")
    with pytest.raises(
        MLLMError, match=r"`frames_as` must be what .* take.*\['images'\]; found 'v"
    ):
        video.query(frames, ["?"] * 4)
    none = HuggingFaceMLLM(str(tiny_llava_folder), prompt_template="USER: <video> {question}")
    with pytest.raises(MLLMError, match="`path` must name a model that reads images or video"):
        none.query(frames, ["?"] * 4)


def test_encoded_prompts_do_not_pile_up(
    tiny_folder: Path, frames: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blackbox_anon.mllms.local.inputs.MAX_ENCODED_PROMPTS", 2)
    prompts = ["?", ".", QUESTION, "word"]
    mllm = HuggingFaceMLLM(str(tiny_folder), device="cpu")
    mllm.query(frames[:4], prompts)

    assert mllm._loaded is not None
    assert len(mllm._loaded.inputs.encoded) <= 2
