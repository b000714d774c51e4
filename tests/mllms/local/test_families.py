"""Each family, given images or a video, against a plain loop."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from blackbox_anon.mllms import HuggingFaceMLLM
from tests.mllms.local.references import CASE_IDS, CASES, Reference, ask

QUESTIONS = ["What is the person doing ?", "?", "What is the person doing ? Answer in one word ."]
EVERY = 1000  # more than there are tokens

pytestmark = pytest.mark.parametrize(("family", "media", "prompt"), CASES, ids=CASE_IDS)


@pytest.fixture(params=[1, 3], ids=["still", "clip"])
def frames(request: pytest.FixtureRequest) -> Tensor:
    """Clips wider than high, of one frame or an odd number of frames."""
    return torch.randint(0, 256, (3, request.param, 3, 28, 40), dtype=torch.uint8)


def make(folder: Path, media: Any, **kwargs: Any) -> HuggingFaceMLLM:  # noqa: ANN401  # its own
    return HuggingFaceMLLM(
        str(folder),
        device="cpu",
        frames_as=media,
        max_new_tokens=3,
        num_logprobs=EVERY,
        **kwargs,
    )


def test_equals_a_plain_greedy_loop(
    family: str, media: str, prompt: str, frames: Tensor, tiny_folders: dict[str, Path]
) -> None:
    """Different questions in one batch, padded on the left, against one clip at a time."""
    folder = tiny_folders[family]
    found = ask(make(folder, media), frames, QUESTIONS)

    reference = Reference(folder, media, prompt)
    tokenizer = reference.processor.tokenizer
    words = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    for (text, logprobs), clip, question in zip(found, frames, QUESTIONS, strict=True):
        answer, first = reference.greedy(reference.inputs(clip, question), steps=3)
        assert text == tokenizer.decode(answer, skip_special_tokens=True).strip()
        expected = dict(zip(words, first.tolist(), strict=True))
        assert logprobs == pytest.approx(expected, abs=1e-5)


def test_batch_equals_single(
    family: str, media: str, prompt: str, frames: Tensor, tiny_folders: dict[str, Path]
) -> None:
    del prompt
    mllm = make(tiny_folders[family], media)
    together = ask(mllm, frames, QUESTIONS)

    for (text, logprobs), clip, question in zip(together, frames, QUESTIONS, strict=True):
        [alone] = ask(mllm, clip[None], [question])
        assert text == alone[0]
        assert logprobs == pytest.approx(alone[1], abs=1e-5)


def test_an_explicit_template_is_the_default_written_out(
    family: str, media: str, prompt: str, frames: Tensor, tiny_folders: dict[str, Path]
) -> None:
    """Its one placeholder says what clips are given as, and is repeated per image."""
    one = "<|vision_start|><|image_pad|><|vision_end|>" if family == "qwen2_5_vl" else "<image>"
    explicit = make(tiny_folders[family], "auto", prompt_template=prompt.replace("{images}", one))
    default = make(tiny_folders[family], media)

    assert explicit.query(frames, QUESTIONS) == default.query(frames, QUESTIONS)
