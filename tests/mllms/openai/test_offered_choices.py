"""What a task offers constrains the reply, unless the user said otherwise."""

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from blackbox_anon.mllms import (
    AnonymizedFrames,
    Answer,
    CachedMLLM,
    Failure,
    OpenAICompatibleMLLM,
    Request,
    Response,
    RetryingMLLM,
)
from blackbox_anon.server import ServiceOptions, serve
from tests.mllms.openai.asking import CLASSES, MODEL, NOWHERE, ask, asking, clips, stub

SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string", "enum": CLASSES}},
    "required": ["answer"],
    "additionalProperties": False,
}
FIELDS: dict[str, dict[str, Any]] = {
    "openai": {"json_schema": {"name": "answer", "strict": True, "schema": SCHEMA}},
    "vllm": {"choice": CLASSES},
    "sglang": {"regex": "(walk|run|pick up)"},
}
FIELDS["ollama"] = FIELDS["generic"] = FIELDS["openai_reasoning"] = FIELDS["openai"]
NAMES = {"vllm": "structured_outputs", "sglang": "regex"}


def sent(mllm: OpenAICompatibleMLLM) -> Mapping[str, Any]:
    """The request that a question makes."""
    found: Mapping[str, Any] = json.loads(mllm.payload(Request(frames=clips()[0], prompt="What?")))
    return found


@pytest.mark.parametrize("family", list(FIELDS))
def test_each_service_is_told_in_the_field_it_honours(family: str) -> None:
    constraining = {"response_format", "structured_outputs", "regex", "guided_choice"}
    with asking(NOWHERE, family=family) as mllm:
        assert not constraining & sent(mllm).keys()
        mllm.offer(CLASSES)
        name = NAMES.get(family, "response_format")
        assert constraining & sent(mllm).keys() == {name}
        told = {name: sent(mllm)[name]} if family == "sglang" else sent(mllm)[name]
        assert told == {**FIELDS[family], **({"type": "json_schema"} if "type" in told else {})}


@pytest.mark.parametrize("structured", ["openai", "vllm", "sglang", "ollama"])
def test_a_service_answers_with_what_was_offered(structured: str) -> None:
    """The model would say something else: the service holds it to the offered classes."""
    offered = ["pick up", "sit", "stand up"]
    with (
        serve(MODEL, ServiceOptions(structured=structured)) as running,  # type: ignore[arg-type]  # parametrized
        asking(running.base_url, family=structured) as mllm,
    ):
        dark = AnonymizedFrames(clips() // 255)  # "walk" is hardly less likely than "pick up"
        mllm.offer(["walk", *offered])
        mllm.offer(offered)  # the last offer holds
        [answer] = mllm.query(dark, ["What?"])
    assert isinstance(answer, Response)
    assert answer.text == "pick up"
    assert answer.top_logprobs is not None
    assert set(answer.top_logprobs) == set(CLASSES)  # of the first token, unconstrained


def answers_of(text: str, mllm_choices: list[str] | None, offered: list[str]) -> Answer:
    """What comes of a service that ignores all constraints and says ``text``."""

    def says(_: web.Request) -> web.StreamResponse:
        choice = {"message": {"content": text}, "finish_reason": "stop"}
        return web.json_response({"model": "peopleworld", "choices": [choice]})

    with stub(says) as base_url, asking(base_url, choices=mllm_choices) as mllm:
        mllm.offer(offered)
        [answer] = ask(mllm)
    return answer


@pytest.mark.parametrize(
    ("said", "given", "offered", "expected"),
    [
        ("Run.", None, CLASSES, "run"),
        ('{"answer": "run"}', None, CLASSES, "run"),
        ("running", None, CLASSES, None),
        ("sit", None, CLASSES, None),
        ("A person runs.", None, [], "A person runs."),  # a task of questions offers nothing
        ("A person runs.", [], CLASSES, "A person runs."),  # free text was asked for
        ("sit", ["sit", "stand"], CLASSES, "sit"),  # what was given comes first
        ("run", ["sit", "stand"], CLASSES, None),
    ],
)
def test_the_reply_is_checked_against_what_holds(
    said: str, given: list[str] | None, offered: list[str], expected: str | None
) -> None:
    answer = answers_of(said, given, offered)
    if expected is None:
        assert isinstance(answer, Failure)
        assert answer.kind == "wrong_class"
    else:
        assert isinstance(answer, Response)
        assert answer.text == expected


def test_identity_and_payload_change_with_the_choices() -> None:
    request = Request(frames=clips()[0], prompt="What?")
    identities, payloads = [], []
    with asking(NOWHERE) as mllm:
        for offered in ([], CLASSES, CLASSES[:2], CLASSES[::-1], [], CLASSES):
            mllm.offer(offered)
            identities.append(json.dumps(dict(mllm.identity)))
            payloads.append(mllm.payload(request))
        assert len(set(identities)) == len(set(payloads)) == 4
        assert (identities[:2], payloads[:2]) == (identities[4:], payloads[4:])
        assert mllm.worst_case(request).input_tokens > 0
        copy = pickle.loads(pickle.dumps(mllm))
        assert (copy.identity, copy.payload(request)) == (mllm.identity, payloads[-1])
    with asking(NOWHERE, choices=CLASSES) as given:
        assert given.payload(request) == payloads[-1]
        assert dict(given.identity) == json.loads(identities[-1])


def test_the_choices_are_in_the_worst_case() -> None:
    request = Request(frames=clips()[0], prompt="What?")
    with asking(NOWHERE) as mllm, asking(NOWHERE, choices=CLASSES) as given:
        free = mllm.worst_case(request).input_tokens
        mllm.offer(CLASSES)
        assert free < mllm.worst_case(request).input_tokens
        assert mllm.worst_case(request) == given.worst_case(request)


def test_a_cache_does_not_answer_with_other_choices(tmp_path: Path) -> None:
    frames = AnonymizedFrames(clips())
    with serve(MODEL) as running, asking(running.base_url) as service:
        mllm = CachedMLLM(RetryingMLLM(service), path=str(tmp_path / "cache.sqlite"))
        for offered in (CLASSES, CLASSES, CLASSES[:2], [], CLASSES):
            mllm.offer(offered)
            mllm.query(frames, ["What?"])
        assert running.stats()["received"] == 3
        mllm.close()


def test_a_conflict_is_told_and_what_was_given_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    with asking(NOWHERE, choices=["Run", "walk", "pick up"]) as mllm:
        before = mllm.identity
        mllm.offer(CLASSES)
        assert not caplog.text
        mllm.offer(["walk", "sit"])
        assert mllm.identity == before
    assert "`choices` of peopleworld are kept: 2 are no class of the task ('Run')" in caplog.text
    assert "1 of its classes is missing ('sit')" in caplog.text


@pytest.mark.parametrize("offered", [["run"], ["run", "Run"], ["run", " walk"], ["run", ""]])
def test_classes_that_no_service_can_choose_from_are_refused(offered: list[str]) -> None:
    with asking(NOWHERE) as mllm:
        with pytest.raises(
            ValueError, match=r"the task's classes: `choices` must .*`choices: \[\]`"
        ):
            mllm.offer(offered)
        assert mllm.identity["choices"] is None
    with asking(NOWHERE, choices=[]) as free:
        free.offer(offered)


def test_a_prompt_with_choices_needs_some() -> None:
    template = "{question} One of: {choices}."
    with asking(NOWHERE, prompt_template=template) as mllm:
        with pytest.raises(ValueError, match="`choices` must be given, or offered by the task"):
            sent(mllm)
        mllm.offer(CLASSES)
        asked = sent(mllm)["messages"][0]["content"][0]["text"]
    assert asked == "What? One of: walk, run, pick up."
