"""What a client of OpenAI's sees."""

import json
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.errors import BlackboxAnonError
from blackbox_anon.mllms import AbstractMLLM, Answer, Failure, HuggingFaceMLLM, Response, Usage
from blackbox_anon.server import ServiceOptions, serve
from blackbox_anon.world import PeopleWorld
from blackbox_anon.world.questions import ACTION_QUESTION, COUNT_QUESTION
from tests.mllms_fakes import LinearMLLM, QuadraticMLLM, TextOnlyMLLM
from tests.server.asking import QUESTION, ask, ask_all, body, data_uri, fields, get
from tests.server.conftest import Serve


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


class EchoMLLM(AbstractMLLM):
    """Answers with the question."""

    @override
    def _respond(self, frames: Tensor, prompts: Sequence[str]) -> list[Response]:
        return [Response(text=prompt, top_logprobs={"a": -1e-7, "b": -200.5}) for prompt in prompts]


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
            return ask(running, _changed(clip, model=model)).json["system_fingerprint"]

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


# --- what is refused ------------------------------------------------------------------------------


def _changed(clip: Tensor, **changes: object) -> bytes:
    return json.dumps({**fields(clip), **changes}).encode()


def _with_url(url: object) -> list[dict[str, object]]:
    parts = [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": url}}]
    return [{"role": "user", "content": parts}]


REFUSED: list[tuple[dict[str, object], int, str | None]] = [
    ({"model": "gpt-4o"}, 404, "model"),
    ({"top_logprobs": 21, "logprobs": True}, 400, "top_logprobs"),
    ({"top_logprobs": -1, "logprobs": True}, 400, "top_logprobs"),
    ({"top_logprobs": True, "logprobs": True}, 400, "top_logprobs"),
    ({"top_logprobs": 2}, 400, "logprobs"),
    ({"max_tokens": -1}, 400, "max_tokens"),
    ({"max_tokens": 1, "max_completion_tokens": 1}, 400, "max_tokens"),
    ({"stream": True}, 400, "stream"),
    ({"n": 2}, 400, "n"),
    ({"messages": []}, 400, "messages"),
    ({"messages": "hello"}, 400, "messages"),
    ({"messages": [{"role": "user", "content": "no picture"}]}, 400, "messages"),
    ({"messages": [{"role": "user"}]}, 400, "messages"),
    ({"messages": [{"role": "robot", "content": "?"}]}, 400, "messages"),
    ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, 400, "messages"),
    ({"messages": _with_url("https://example.org/a.png")}, 400, "image_url.url"),
    ({"messages": _with_url("file:///etc/passwd")}, 400, "image_url.url"),
    ({"messages": _with_url(None)}, 400, "image_url.url"),
    ({"messages": _with_url("data:image/png;base64,@@@")}, 400, "image_url.url"),
    ({"messages": _with_url("data:image/png;base64,AAAA")}, 400, "image_url.url"),
    ({"messages": _with_url("data:image/gif;base64,AAAA")}, 400, "image_url.url"),
]


@pytest.mark.parametrize(("changes", "status", "param"), REFUSED)
def test_refused_and_said_which_field(
    changes: dict[str, object], status: int, param: str | None, clip: Tensor, served: Serve
) -> None:
    running = served()
    reply = ask(running, _changed(clip, **changes))
    assert reply.status == status
    assert reply.error["param"] == param
    assert reply.error["type"] == "invalid_request_error"
    stats = running.stats()
    assert (stats["received"], stats["paid"], sum(stats["refused"].values())) == (1, 0, 1)


@pytest.mark.parametrize("sent", [b"{", b"[]", b"\xff"])
def test_no_json_is_refused(sent: bytes, served: Serve) -> None:
    reply = ask(served(), sent)
    assert (reply.status, reply.error["param"]) == (400, "body")


def test_a_picture_of_another_type_than_declared_is_refused(clip: Tensor, served: Serve) -> None:
    url = data_uri(clip[0], "png").replace("image/png", "image/webp")
    reply = ask(served(), _changed(clip, messages=_with_url(url)))
    assert (reply.status, reply.error["param"]) == (400, "image_url.url")


def test_frames_of_two_sizes_are_refused(clip: Tensor, served: Serve) -> None:
    sent = fields(clip)
    sent["messages"][0]["content"][1]["image_url"]["url"] = data_uri(clip[0, :, :4])
    reply = ask(served(), json.dumps(sent).encode())
    assert reply.status == 400
    assert "frames of one size" in reply.error["message"]


def test_a_question_is_needed(clip: Tensor, served: Serve) -> None:
    sent = fields(clip)
    del sent["messages"][0]["content"][0]
    assert ask(served(), json.dumps(sent).encode()).status == 400


def test_too_many_images_are_refused(clip: Tensor, served: Serve) -> None:
    reply = ask(served(max_images=1), body(clip))
    assert reply.status == 400
    assert "1 to 1 images; found 2" in reply.error["message"]


def test_too_large_requests_are_refused(served: Serve) -> None:
    running = served(max_body_mib=1)
    reply = ask(running, b" " * (2**20 + 1))
    assert (reply.status, reply.error["code"]) == (413, "request_too_large")
    assert running.stats()["refused"] == {"request_too_large": 1}


def test_a_key_is_asked_for(clip: Tensor, served: Serve) -> None:
    running = served(api_key="sk-right")
    for headers in ({}, {"Authorization": "Bearer sk-wrong"}, {"Authorization": "sk-right"}):
        for reply in (
            ask(running, body(clip), headers=headers),
            get(running, "/v1/models", headers=headers),
        ):
            assert (reply.status, reply.error["code"]) == (401, "invalid_api_key")
            assert b"sk-" not in reply.data
    right = {"Authorization": "Bearer sk-right"}
    assert ask(running, body(clip), headers=right).status == 200
    assert get(running, "/v1/models", headers=right).status == 200
    assert "sk-right" not in repr(running.options)


# --- the other endpoints --------------------------------------------------------------------------


def test_models(served: Serve) -> None:
    [model] = get(served(), "/v1/models").json["data"]
    assert (model["id"], model["object"]) == ("peopleworld", "model")


def test_health_and_statistics(clip: Tensor, served: Serve) -> None:
    running = served()
    assert get(running, "/healthz").json == {"status": "ok"}
    for _ in range(3):
        ask(running, body(clip))
    ask(running, body(clip, "Another?"))
    found = get(running, "/__stats").json
    assert found == running.stats()
    assert (found["received"], found["answered"], found["paid"]) == (4, 4, 4)
    assert (found["distinct_paid"], found["duplicates"]) == (2, 2)
    assert found["in_flight"] == 0


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/v2", 404), ("GET", "/v1/chat/completions", 405)]
)
def test_other_paths(method: str, path: str, status: int, served: Serve) -> None:
    reply = ask(served(), b"", method=method, path=path)
    assert (reply.status, reply.error["param"]) == (status, None)


# --- structured output ----------------------------------------------------------------------------

CHOICES = ["walk", "pick up", "swim"]
OBJECT = {"type": "object", "properties": {"answer": {"type": "string", "enum": CHOICES}}}
BARE = {"type": "string", "enum": CHOICES}


def _schema(schema: object) -> dict[str, object]:
    return {
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    }


VLLM: dict[str, object] = {"structured_outputs": {"choice": CHOICES}}
FREE, CHOSEN = "run", "pick up"  # the model below says "run", of the choices rather "pick up"
STRUCTURED: list[tuple[str, dict[str, object], str | None]] = [
    ("openai", _schema(OBJECT), json.dumps({"answer": CHOSEN})),
    ("openai", _schema(BARE), None),
    ("openai", VLLM, FREE),
    ("vllm", VLLM, CHOSEN),
    ("vllm", {"structured_outputs": {"choices": CHOICES}}, FREE),
    ("vllm", {"guided_choice": CHOICES}, FREE),
    ("vllm", _schema(BARE), json.dumps(CHOSEN)),
    ("ollama", _schema(BARE), json.dumps(CHOSEN)),
    ("ollama", _schema(OBJECT), json.dumps({"answer": CHOSEN})),
    ("ollama", VLLM, FREE),
    ("sglang", {"regex": "(walk|pick up|swim)"}, CHOSEN),
    ("sglang", {"regex": r"(p\.\|\(|swim)"}, r"p.|("),
    ("sglang", {"regex": "walk|run"}, None),
    ("sglang", {"regex": "(wa.k|run)"}, None),
    ("sglang", {"regex": r"(\w|run)"}, None),
    ("sglang", {"regex": ["walk"]}, None),
    ("sglang", _schema(OBJECT), json.dumps({"answer": CHOSEN})),
    ("sglang", VLLM, FREE),
    ("vllm", {"regex": "(walk|pick up)"}, FREE),
    ("none", _schema(OBJECT), FREE),
    ("none", VLLM, FREE),
    ("vllm", {"structured_outputs": {"choice": []}}, None),
    ("vllm", {"structured_outputs": CHOICES}, None),
    ("openai", {"response_format": {"type": "json_object"}}, FREE),
    ("openai", {"response_format": {"type": "json_schema"}}, None),
    ("openai", _schema({**OBJECT, "properties": {}}), None),
    (
        "openai",
        _schema({**OBJECT, "properties": {"a": {"enum": [f"{i}" for i in range(1001)]}}}),
        None,
    ),
]


class RunsMLLM(AbstractMLLM):
    @override
    def _respond(self, frames: Tensor, prompts: Sequence[str]) -> list[Response]:
        tops = {"run": -0.1, "pick": -3.0, "p": -2.5, "walk": -4.0}
        return [Response(text="run", top_logprobs=tops) for _ in prompts]


@pytest.mark.parametrize(("structured", "sent", "content"), STRUCTURED)
def test_choices_are_read_from_the_field_that_the_service_honours(
    structured: str, sent: dict[str, object], content: str | None, clip: Tensor, served: Serve
) -> None:
    reply = ask(served(RunsMLLM(), structured=structured), body(clip, QUESTION, **sent))
    assert reply.status == (400 if content is None else 200)
    if content is not None:
        assert reply.text == content


def test_logprobs_stand_at_the_choice_and_are_unconstrained(clip: Tensor, served: Serve) -> None:
    sent = body(clip, QUESTION, logprobs=True, top_logprobs=2, **_schema(OBJECT))
    opening, choice = ask(served(RunsMLLM()), sent).choice["logprobs"]["content"]
    assert (opening["token"], opening["logprob"]) == ('{"answer": "', 0.0)
    assert (choice["token"], choice["logprob"]) == ("pick", -3.0)
    assert [top["token"] for top in choice["top_logprobs"]] == ["run", "p"]


def test_every_action_can_be_chosen_from_alone(peopleworld: AbstractMLLM, served: Serve) -> None:
    running = served(peopleworld, structured="vllm")
    clip = PeopleWorld("val", length=1).frames(0)
    for action in PeopleWorld.classes[:3]:
        only = {"structured_outputs": {"choice": [action]}}
        assert ask(running, body(clip, ACTION_QUESTION, **only)).text == action


# --- models that fail -----------------------------------------------------------------------------


class BrokenMLLM(AbstractMLLM):
    def __init__(self, answer: Answer | Exception) -> None:
        super().__init__()
        self._answer = answer

    @override
    def _respond(self, frames: Tensor, prompts: Sequence[str]) -> list[Answer]:
        if isinstance(self._answer, Exception):
            raise self._answer
        return [self._answer for _ in prompts]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (ValueError("no such size"), "ValueError: no such size"),
        (Failure(kind="refusal", message="not that"), "refusal: not that"),
    ],
)
def test_a_model_that_fails_is_a_server_error_and_costs_nothing(
    answer: Answer | Exception, said: str, clip: Tensor, served: Serve
) -> None:
    running = served(BrokenMLLM(answer))
    for _ in range(2):  # it stays up
        reply = ask(running, body(clip))
        assert (reply.status, reply.error["type"]) == (500, "server_error")
        assert said in reply.error["message"]
    assert (running.stats()["paid"], running.stats()["answered"]) == (0, 0)


class RemoteMLLM(LinearMLLM):
    @property
    @override
    def sends_images(self) -> bool:
        return True


def test_a_model_that_sends_images_away_is_refused() -> None:
    with (
        pytest.raises(ValueError, match=r"`mllm` must be local; found RemoteMLLM"),
        serve(RemoteMLLM(["a"], [1.0])),
    ):
        pass


def test_statistics_outlive_the_service(clip: Tensor) -> None:
    with serve(LinearMLLM(["a"], [1.0])) as running:
        ask(running, body(clip))
    assert running.stats()["answered"] == 1


def test_a_taken_port_is_named(served: Serve) -> None:
    taken = served().port
    with pytest.raises(BlackboxAnonError, match=rf"`port` must be free; found {taken}"):
        served(port=taken)
