"""The bytes that go out, and what they may cost."""

import asyncio
import hashlib
import json
from pathlib import Path

import pytest
import torch

from blackbox_anon.mllms import OpenAICompatibleMLLM, Request
from blackbox_anon.mllms.asynchronous import event_loop
from blackbox_anon.server import ServiceOptions, serve
from tests.mllms.openai.asking import CLASSES, MODEL, NOWHERE, asking, clips
from tests.services.test_images import decoded


@pytest.mark.parametrize("text", ["first", "last"])
def test_the_payload_is_what_goes_over_the_wire(tmp_path: Path, text: str) -> None:
    request = Request(frames=clips()[0], prompt="Was tut sie? \u00fc\u2028")
    with (
        serve(MODEL, ServiceOptions(record_bytes=tmp_path)) as running,
        asking(running.base_url, text=text) as mllm,
    ):
        asyncio.run_coroutine_threadsafe(mllm.answer(request), event_loop()).result()
        payload = mllm.payload(request)
    [body] = (tmp_path / "bodies").iterdir()
    assert body.name == hashlib.sha256(payload).hexdigest()
    assert body.read_bytes() == payload
    parts = json.loads(payload)["messages"][0]["content"]
    shown = [decoded(part["image_url"]["url"]) for part in parts if part["type"] == "image_url"]
    assert torch.equal(torch.stack(shown), request.frames)


def test_the_payload_depends_on_pixels_question_and_arguments() -> None:
    frames = clips()[0]
    changed = frames.clone()
    changed[0, 0, 0, 0] ^= 1
    url = NOWHERE
    with asking(url) as mllm, asking(url, num_logprobs=3) as other, asking(url, seed=1) as third:
        payloads = [
            mllm.payload(Request(frames=frames, prompt="a")),
            mllm.payload(Request(frames=changed, prompt="a")),
            mllm.payload(Request(frames=frames, prompt="b")),
            other.payload(Request(frames=frames, prompt="a")),
            third.payload(Request(frames=frames, prompt="a")),
        ]
        assert len(set(payloads)) == len(payloads)
        assert mllm.payload(Request(frames=frames.clone(), prompt="a")) == payloads[0]
        assert mllm.identity != {**mllm.identity, "base_url": ""}
        json.dumps(dict(mllm.identity))


def test_the_worst_case_is_not_exceeded_by_the_text() -> None:
    request = Request(frames=clips()[0], prompt="What?" * 50)
    with asking(NOWHERE, image_tokens=100, max_new_tokens=7) as mllm:
        usage = mllm.worst_case(request)
        text = len(mllm.payload(request)) - sum(
            len(part["image_url"]["url"])
            for part in json.loads(mllm.payload(request))["messages"][0]["content"][1:]
        )
    assert usage.input_tokens == text + 2 * 100
    assert usage.output_tokens == 7


def test_what_is_known_of_a_model_bounds_its_images() -> None:
    request = Request(frames=torch.zeros(2, 3, 64, 64, dtype=torch.uint8), prompt="What?")
    known = OpenAICompatibleMLLM("gpt-4o", family="openai").worst_case(request)
    free = OpenAICompatibleMLLM("gpt-4o", family="openai", image_tokens=0).worst_case(request)
    assert known.input_tokens - free.input_tokens == 2 * 85


def test_the_prompt_can_name_the_choices() -> None:
    mllm = OpenAICompatibleMLLM(
        "m", choices=CLASSES, prompt_template="{question} One of: {choices}."
    )
    parts = json.loads(mllm.payload(Request(frames=clips()[0], prompt="What?")))["messages"]
    assert parts[0]["content"][0]["text"] == "What? One of: walk, run, pick up."
