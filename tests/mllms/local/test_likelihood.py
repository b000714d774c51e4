"""The grey box against full teacher forcing, one clip and one choice at a time."""

import math
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from blackbox_anon.errors import MLLMError
from blackbox_anon.mllms import HuggingFaceMLLM
from blackbox_anon.mllms.local import likelihood
from tests.mllms.local.references import CASE_IDS, CASES, Reference, ask

# Qwen counts on from the latest of a clip's times, so a question must be longer than the clip
QUESTIONS = ["What is the person doing ?", "What is the person doing ? Answer in one word ."]
CHOICES = ["walk", "walk run", "run", "What is the person", "jump"]
families = pytest.mark.parametrize(("family", "media", "prompt"), CASES, ids=CASE_IDS)


@pytest.fixture
def frames() -> Tensor:
    return torch.randint(0, 256, (2, 3, 3, 28, 28), dtype=torch.uint8)


def make(folder: Path, **kwargs: Any) -> HuggingFaceMLLM:  # noqa: ANN401  # its own
    return HuggingFaceMLLM(str(folder), device="cpu", grey_box=True, **kwargs)


@families
@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("most", [512, 2], ids=["one pass", "passes"])
def test_equals_teacher_forcing(
    family: str,
    media: Any,  # noqa: ANN401  # one of two strings
    prompt: str,
    reduction: Literal["sum", "mean"],
    most: int,
    frames: Tensor,
    tiny_folders: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(likelihood, "MOST_TOKENS", most)
    folder = tiny_folders[family]
    mllm = make(folder, choices=CHOICES, frames_as=media, likelihood=reduction)
    found = ask(mllm, frames, QUESTIONS)

    reference = Reference(folder, media, prompt)
    for (_, logprobs), clip, question in zip(found, frames, QUESTIONS, strict=True):
        inputs = reference.inputs(clip, question)
        expected = {name: forced(reference, inputs, name, reduction) for name in CHOICES}
        assert logprobs == pytest.approx(expected, abs=1e-4)


def forced(reference: Reference, inputs: dict[str, Any], name: str, reduction: str) -> float:
    tokenizer = reference.processor.tokenizer
    tokens = [*tokenizer.convert_tokens_to_ids(name.split()), tokenizer.eos_token_id]
    logprobs = reference.logprobs(inputs, tokens[:-1])
    each = logprobs[range(len(tokens)), tokens]
    return float(each.sum() if reduction == "sum" else each.mean())


@families
def test_attentions_agree(
    family: str,
    media: Any,  # noqa: ANN401  # one of two strings
    prompt: str,
    frames: Tensor,
    tiny_folders: dict[str, Path],
) -> None:
    del prompt
    chosen = make(
        tiny_folders[family], choices=CHOICES, frames_as=media, attn_implementation="eager"
    )
    default = make(tiny_folders[family], choices=CHOICES, frames_as=media)
    [(text, found)], [(expected_text, expected)] = (
        ask(mllm, frames[:1], QUESTIONS[:1]) for mllm in (chosen, default)
    )

    assert chosen._loaded is not None
    assert chosen._loaded.model.config._attn_implementation == "eager"
    assert text == expected_text
    assert found == pytest.approx(expected, abs=1e-5)


@families
def test_the_answer_is_that_of_the_black_box(
    family: str,
    media: Any,  # noqa: ANN401  # one of two strings
    prompt: str,
    frames: Tensor,
    tiny_folders: dict[str, Path],
) -> None:
    del prompt
    grey = make(tiny_folders[family], choices=CHOICES, frames_as=media, max_new_tokens=4)
    black = HuggingFaceMLLM(
        str(tiny_folders[family]), device="cpu", frames_as=media, max_new_tokens=4
    )

    found, expected = ask(grey, frames, QUESTIONS), ask(black, frames, QUESTIONS)
    assert [text for text, _ in found] == [text for text, _ in expected]


def test_different_answers_exclude_each_other(tiny_folder: Path, frames: Tensor) -> None:
    """A choice's end belongs to it: all answers of up to two tokens have probability below 1."""
    words = ["walk", "run", "jump", "doing", "is", "USER:", "one", "word"]
    choices = [*words, *(f"{a} {b}" for a in words for b in words)]
    [(_, logprobs)] = ask(make(tiny_folder, choices=choices), frames[:1], ["?"])

    total = math.fsum(math.exp(value) for value in logprobs.values())
    assert 0 < total < 1


def test_offered_choices(tiny_folder: Path, frames: Tensor) -> None:
    mllm = make(tiny_folder)
    with pytest.raises(MLLMError, match="`choices` must be given or offered by the task"):
        mllm.query(frames, QUESTIONS)
    for offered in (["walk", "run"], ["jump"]):  # the last offer holds
        mllm.offer(offered)
        assert [list(logprobs) for _, logprobs in ask(mllm, frames, QUESTIONS)] == [offered] * 2

    mllm.offer([])  # a test of questions: tokens again
    assert "USER:" in ask(mllm, frames, QUESTIONS)[0][1]


def test_choices_of_its_own_come_first(tiny_folder: Path, frames: Tensor) -> None:
    mllm = make(tiny_folder, choices=["walk"])
    mllm.offer(["run"])

    assert list(ask(mllm, frames, QUESTIONS)[0][1]) == ["walk"]


def test_settings_are_checked(tiny_folder: Path) -> None:
    with pytest.raises(ValueError, match="`choices` must be texts; found ' '"):
        make(tiny_folder, choices=["walk", " "])
    with pytest.raises(ValueError, match="`choices` must be texts; found ''"):
        make(tiny_folder).offer([""])
    with pytest.raises(ValueError, match="`attn_implementation` must be 'sdpa' or 'eager'"):
        make(tiny_folder, attn_implementation="flash_attention_2")


def test_caches_that_forget_are_refused(tiny_folder: Path, frames: Tensor) -> None:
    mllm = make(tiny_folder, choices=["walk"])
    mllm.query(frames, QUESTIONS)
    assert mllm._loaded is not None
    text = mllm._loaded.model.config.get_text_config()
    text.sliding_window = 64
    text.layer_types = ["sliding_attention"] * text.num_hidden_layers

    with pytest.raises(MLLMError, match=r"full attention in every layer; found .*Sliding"):
        mllm.query(frames, QUESTIONS)
