"""What a client of OpenAI's sees."""

import json
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from blackbox_anon.mllms import AbstractMLLM, HuggingFaceMLLM, Response, Usage
from blackbox_anon.server import ServiceOptions, serve
from blackbox_anon.world import PeopleWorld
from blackbox_anon.world.questions import ACTION_QUESTION, COUNT_QUESTION
from tests.mllms_fakes import QuadraticMLLM, TextOnlyMLLM
from tests.server.asking import (
    QUESTION,
    ask,
    ask_all,
    body,
    changed,
    data_uri,
    fields,
)
from tests.server.conftest import Serve
from tests.server.speaking import EchoMLLM


def test_answers_and_logprobs_are_those_of_the_local_model_to_the_last_bit(
    peopleworld: AbstractMLLM, served: Serve
) -> None:
    clips = PeopleWorld("val", length=4)
    asked = [(clips.frames(i), q) for i in range(4) for q in (ACTION_QUESTION, COUNT_QUESTION)]
    local = HuggingFaceMLLM("peopleworld", dtype="float32", max_new_tokens=2, batch_size=1)
    expected = [local.query(clip[None], [question])[0] for clip, question in asked]
    running = served(peopleworld)
    replies = ask_all(running, [body(c, q, logprobs=True, top_logprobs=20) for c, q in asked])
    for reply, response in zip(replies, expected, strict=True):
        assert isinstance(response, Response)
        assert reply.text == response.text
        [entry] = reply.choice["logprobs"]["content"]
        found = {top["token"]: top["logprob"] for top in entry["top_logprobs"]}
        assert found == response.top_logprobs
        assert list(found) == list(response.top_logprobs or {})
        assert (entry["token"], entry["logprob"]) == next(iter(found.items()))
    assert running.stats()["batches"] == {"1": len(asked)}


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_lossless_pictures_reach_the_model_unchanged(
    kind: str, clip: Tensor, served: Serve
) -> None:
    mllm = QuadraticMLLM()
    sent = fields(clip)
    for part, frame in zip(sent["messages"][0]["content"][1:], clip, strict=True):
        part["image_url"]["url"] = data_uri(frame, kind)
    assert ask(served(mllm), json.dumps(sent).encode()).status == 200
    [seen] = mllm.seen
    assert torch.equal(seen, clip[None])


def test_jpeg_is_taken(served: Serve) -> None:
    flat = torch.full((1, 3, 16, 16), 128, dtype=torch.uint8)
    mllm, sent = QuadraticMLLM(), fields(flat)
    sent["messages"][0]["content"][1]["image_url"]["url"] = data_uri(flat[0], "jpeg")
    assert ask(served(mllm), json.dumps(sent).encode()).status == 200
    assert torch.equal(mllm.seen[0], flat[None])  # a flat grey survives it


def test_reply_has_what_clients_read(clip: Tensor, served: Serve) -> None:
    reply = ask(served(EchoMLLM(), tokens_per_image=85), body(clip, "Is it day?"))
    assert reply.headers["Content-Type"].startswith("application/json")
    assert reply.json["object"] == "chat.completion"
    assert reply.json["model"] == "peopleworld"
    assert reply.json["id"] == reply.headers["x-request-id"]
    assert reply.json["system_fingerprint"].startswith("fp_")
    assert reply.json["usage"] == {
        "prompt_tokens": 3 + 2 * 85,
        "completion_tokens": 3,
        "total_tokens": 6 + 2 * 85,
    }
    message = {"role": "assistant", "content": "Is it day?", "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    assert reply.choice == choice


def test_texts_of_all_messages_are_the_question(clip: Tensor, served: Serve) -> None:
    sent = fields(clip, "Why?")
    sent["messages"].insert(0, {"role": "system", "content": "Be brief."})
    assert ask(served(EchoMLLM()), json.dumps(sent).encode()).text == "Be brief.\nWhy?"


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_long_answers_are_cut(name: str, clip: Tensor, served: Serve) -> None:
    running = served(EchoMLLM())
    reply = ask(running, body(clip, "one two three", **{name: 2}))
    assert (reply.text, reply.choice["finish_reason"]) == ("one two", "length")
    assert reply.json["usage"]["completion_tokens"] == 2
    assert ask(running, body(clip, "one two", **{name: 2})).choice["finish_reason"] == "stop"


@pytest.mark.parametrize("count", [0, 1, 2, 20])
def test_as_many_logprobs_as_asked_for(count: int, clip: Tensor, served: Serve) -> None:
    reply = ask(served(EchoMLLM()), body(clip, logprobs=True, top_logprobs=count))
    [entry] = reply.choice["logprobs"]["content"]
    tops = [
        {"token": "a", "logprob": -1e-7, "bytes": [97]},
        {"token": "b", "logprob": -200.5, "bytes": [98]},
    ]
    assert entry == {**tops[0], "top_logprobs": tops[:count]}


def test_no_logprobs_from_a_model_that_reports_none(clip: Tensor, served: Serve) -> None:
    reply = ask(served(TextOnlyMLLM()), body(clip, QUESTION, logprobs=True, top_logprobs=5))
    assert reply.choice["logprobs"] is None


def test_the_fingerprint_is_that_of_the_model_and_its_name(clip: Tensor) -> None:
    def fingerprint(mllm: AbstractMLLM, model: str) -> object:
        with serve(mllm, ServiceOptions(model=model)) as running:
            return ask(running, changed(clip, model=model)).json["system_fingerprint"]

    same = [fingerprint(EchoMLLM(), "a") for _ in range(2)]
    assert same[0] == same[1]
    assert len({same[0], fingerprint(EchoMLLM(), "b"), fingerprint(QuadraticMLLM(), "a")}) == 3


def test_usage_is_the_models_own_where_it_tells(clip: Tensor, served: Serve) -> None:
    class Counting(AbstractMLLM):
        def _respond(self, frames: Tensor, prompts: Sequence[str]) -> list[Response]:  # noqa: ARG002
            return [Response(text="yes", usage=Usage(input_tokens=7, output_tokens=3))]

    running = served(Counting())
    assert ask(running, body(clip)).json["usage"]["total_tokens"] == 10
    stats = running.stats()
    assert (stats["prompt_tokens"], stats["completion_tokens"]) == (7, 3)
