"""What the local black box answers."""

import json
import math
import pickle
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForImageTextToText, AutoProcessor

from blackbox_anon.mllms import Answer, HuggingFaceMLLM, Response
from tests.mllms_fakes import responses

QUESTION = "What is the person doing ?"
LONGER = "What is the person doing ? Answer in one word ."


@pytest.fixture(scope="module")
def mllm(tiny_folder: Path) -> HuggingFaceMLLM:
    return HuggingFaceMLLM(str(tiny_folder), device="cpu", batch_size=4, max_new_tokens=3)


@pytest.fixture
def frames() -> Tensor:
    return torch.randint(0, 256, (6, 4, 3, 28, 28), dtype=torch.uint8)


def assert_same(found: Sequence[Answer], expected: Sequence[Answer]) -> None:
    for one, other in zip(responses(found), responses(expected), strict=True):
        assert one.text == other.text
        assert one.top_logprobs is not None
        assert other.top_logprobs is not None
        assert dict(one.top_logprobs) == pytest.approx(dict(other.top_logprobs), abs=1e-5)


def test_equals_a_plain_greedy_loop(
    mllm: HuggingFaceMLLM, tiny_folder: Path, frames: Tensor
) -> None:
    """The independent way: the whole processor on channels-last arrays, no cache, no generate."""
    processor = AutoProcessor.from_pretrained(tiny_folder)
    model = AutoModelForImageTextToText.from_pretrained(tiny_folder).eval()
    expected = []
    for clip in frames:
        inputs = processor(
            text=f"USER: <video>\n{QUESTION} ASSISTANT:",
            videos=clip.permute(0, 2, 3, 1).numpy(),
            return_tensors="pt",
        )
        tokens, tops = inputs["input_ids"], {}
        with torch.no_grad():
            for step in range(3):
                logits = model(
                    input_ids=tokens, pixel_values_videos=inputs["pixel_values_videos"]
                ).logits[0, -1]
                if step == 0:
                    likeliest = logits.log_softmax(-1).topk(20)
                    tops = {
                        processor.tokenizer.convert_ids_to_tokens(int(i)): float(v)
                        for v, i in zip(*likeliest, strict=True)
                    }
                tokens = torch.cat([tokens, logits.argmax().view(1, 1)], dim=1)
                if tokens[0, -1] == processor.tokenizer.eos_token_id:
                    break
        answer = tokens[0, inputs["input_ids"].shape[1] :]
        text = processor.tokenizer.decode(answer, skip_special_tokens=True)
        expected.append(Response(text=text, top_logprobs=tops))

    assert_same(mllm.query(frames, [QUESTION] * 6), expected)


def test_batch_equals_single(mllm: HuggingFaceMLLM, frames: Tensor) -> None:
    """Two batches (4 + 2) with prompts of two lengths: left padding changes nothing."""
    prompts = [QUESTION, LONGER, QUESTION, "?", QUESTION, LONGER]

    together = mllm.query(frames, prompts)

    single = [
        mllm.query(clip[None], [prompt])[0] for clip, prompt in zip(frames, prompts, strict=True)
    ]
    assert_same(together, single)


def test_halves_of_a_pair_may_swap(mllm: HuggingFaceMLLM, frames: Tensor) -> None:
    plus, minus = frames[:2], frames[2:4]

    there = mllm.query(torch.cat([plus, minus]), [QUESTION] * 4)
    back = mllm.query(torch.cat([minus, plus]), [QUESTION] * 4)

    assert_same(there, back[2:] + back[:2])


def test_repeats_itself_exactly(mllm: HuggingFaceMLLM, frames: Tensor) -> None:
    assert mllm.query(frames, [QUESTION] * 6) == mllm.query(frames, [QUESTION] * 6)


def test_float_and_uint8_agree(mllm: HuggingFaceMLLM, frames: Tensor) -> None:
    prompts = [QUESTION] * 6

    assert mllm.query(frames.float() / 255, prompts) == mllm.query(frames, prompts)


def test_images_are_clips_of_one_frame(mllm: HuggingFaceMLLM, frames: Tensor) -> None:
    images = frames[:, 0]

    assert_same(mllm.query(images, ["?"] * 6), mllm.query(images[:, None], ["?"] * 6))


def test_small_pixel_shifts_are_monotone(mllm: HuggingFaceMLLM) -> None:
    """One grey level per step, of one sign: what finite differences live on."""
    levels = torch.arange(120, 129, dtype=torch.uint8)
    clips = levels.view(-1, 1, 1, 1, 1).expand(-1, 4, 3, 28, 28)

    said = responses(mllm.query(clips, [QUESTION] * len(clips)))

    tops = [response.top_logprobs or {} for response in said]
    steps = torch.tensor([top["walk"] for top in tops], dtype=torch.float64).diff()
    assert steps.abs().min() > 0
    assert steps.sign().diff().eq(0).all()


def test_nothing_carries_gradients(mllm: HuggingFaceMLLM, frames: Tensor) -> None:
    clips = (frames / 255).requires_grad_()
    with torch.enable_grad():
        [response] = responses(mllm.query(clips[:1], [QUESTION]))

    assert clips.grad is None
    assert type(response.text) is str
    assert {type(value) for value in (response.top_logprobs or {}).values()} == {float}
    assert mllm._loaded is not None
    assert not any(p.requires_grad for p in mllm._loaded.model.parameters())


@pytest.mark.parametrize("grey_box", [False, True])
def test_workers_answer_as_the_caller_would(
    tiny_folder: Path, frames: Tensor, grey_box: bool
) -> None:
    prompts = [QUESTION, LONGER, QUESTION, "?", QUESTION, LONGER]
    threads: list[threading.Thread] = []

    def ask(cpu_workers: int, batch_size: int) -> tuple[list[Answer], HuggingFaceMLLM]:
        made = HuggingFaceMLLM(
            str(tiny_folder),
            device="cpu",
            batch_size=batch_size,
            cpu_workers=cpu_workers,
            grey_box=grey_box,
            choices=["walk", "run"] if grey_box else None,
        )
        work = threads.append
        found = made.query(frames, prompts, meanwhile=lambda: work(threading.current_thread()))
        assert made.query(frames, prompts) == found
        assert made.queries == 12
        return found, made

    alone, plain = ask(cpu_workers=0, batch_size=16)
    assert not threads
    together, beside = ask(cpu_workers=4, batch_size=1)
    assert threads == [threading.current_thread()]
    assert_same(together, alone)
    assert (plain.answers_beside, beside.answers_beside) == (False, True)
    assert plain.identity == beside.identity  # what a cache holds stays valid
    copy: HuggingFaceMLLM = pickle.loads(pickle.dumps(beside))
    assert copy.query(frames, prompts) == together


def test_logprobs_can_be_left_out(tiny_folder: Path, frames: Tensor) -> None:
    silent = HuggingFaceMLLM(str(tiny_folder), device="cpu", num_logprobs=0)

    [response] = responses(silent.query(frames[:1], ["?"]))
    assert response.top_logprobs is None


def test_all_logprobs_sum_to_one(tiny_folder: Path, frames: Tensor) -> None:
    full = HuggingFaceMLLM(str(tiny_folder), device="cpu", max_new_tokens=1, num_logprobs=10_000)
    [response] = responses(full.query(frames[:1], ["?"]))

    assert response.top_logprobs is not None
    total = math.fsum(math.exp(value) for value in response.top_logprobs.values())
    assert total == pytest.approx(1, abs=1e-5)


def test_answers_have_at_most_the_asked_length(tiny_folder: Path, frames: Tensor) -> None:
    for most in (1, 5):
        short = HuggingFaceMLLM(str(tiny_folder), device="cpu", max_new_tokens=most)
        said = responses(short.query(frames, ["?"] * 6))
        answers = [response.text.split() for response in said]
        assert max(map(len, answers)) <= most


def test_answers_end_at_eos(mllm: HuggingFaceMLLM, tiny_folder: Path, frames: Tensor) -> None:
    """The likeliest first token is made the end: nothing may follow it."""
    processor = AutoProcessor.from_pretrained(tiny_folder)
    [response] = responses(mllm.query(frames[:1], [QUESTION]))
    first = next(iter(response.top_logprobs or {}))
    ended = HuggingFaceMLLM(str(tiny_folder), device="cpu", max_new_tokens=5)
    ended.query(frames[:1], [QUESTION])
    assert ended._loaded is not None
    end = processor.tokenizer.convert_tokens_to_ids(first)
    ended._loaded.model.generation_config.eos_token_id = end

    [again] = responses(ended.query(frames[:1], [QUESTION]))
    assert again.text == first


def test_several_end_tokens(tiny_folder: Path, tmp_path: Path, frames: Tensor) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "several")
    settings = json.loads((folder / "generation_config.json").read_text())
    ends = {"eos_token_id": [2, 3]}
    (folder / "generation_config.json").write_text(json.dumps(settings | ends))

    assert len(HuggingFaceMLLM(str(folder), device="cpu").query(frames, ["?"] * 6)) == 6


def test_bfloat16_answers(tiny_folder: Path, frames: Tensor) -> None:
    coarse = HuggingFaceMLLM(str(tiny_folder), device="cpu", dtype="bfloat16", max_new_tokens=1)
    [response] = responses(coarse.query(frames[:1], ["?"]))

    assert response.top_logprobs is not None
    assert all(math.isfinite(value) for value in response.top_logprobs.values())
