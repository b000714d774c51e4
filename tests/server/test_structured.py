"""Structured output: answers out of a list."""

import json
from collections.abc import Sequence

import pytest
from torch import Tensor
from typing_extensions import override

from blackbox_anon.mllms import AbstractMLLM, Response
from blackbox_anon.world import PeopleWorld
from blackbox_anon.world.questions import ACTION_QUESTION
from tests.server.asking import (
    QUESTION,
    ask,
    body,
)
from tests.server.conftest import Serve

CHOICES = ["walk", "pick up", "swim"]


OBJECT = {"type": "object", "properties": {"answer": {"type": "string", "enum": CHOICES}}}


BARE = {"type": "string", "enum": CHOICES}


def schema_field(schema: object) -> dict[str, object]:
    return {
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    }


VLLM: dict[str, object] = {"structured_outputs": {"choice": CHOICES}}


FREE, CHOSEN = "run", "pick up"  # the model below says "run", of the choices rather "pick up"


STRUCTURED: list[tuple[str, dict[str, object], str | None]] = [
    ("openai", schema_field(OBJECT), json.dumps({"answer": CHOSEN})),
    ("openai", schema_field(BARE), None),
    ("openai", VLLM, FREE),
    ("vllm", VLLM, CHOSEN),
    ("vllm", {"structured_outputs": {"choices": CHOICES}}, FREE),
    ("vllm", {"guided_choice": CHOICES}, FREE),
    ("vllm", schema_field(BARE), json.dumps(CHOSEN)),
    ("ollama", schema_field(BARE), json.dumps(CHOSEN)),
    ("ollama", schema_field(OBJECT), json.dumps({"answer": CHOSEN})),
    ("ollama", VLLM, FREE),
    ("sglang", {"regex": "(walk|pick up|swim)"}, CHOSEN),
    ("sglang", {"regex": r"(p\.\|\(|swim)"}, r"p.|("),
    ("sglang", {"regex": "walk|run"}, None),
    ("sglang", {"regex": "(wa.k|run)"}, None),
    ("sglang", {"regex": r"(\w|run)"}, None),
    ("sglang", {"regex": ["walk"]}, None),
    ("sglang", schema_field(OBJECT), json.dumps({"answer": CHOSEN})),
    ("sglang", VLLM, FREE),
    ("vllm", {"regex": "(walk|pick up)"}, FREE),
    ("none", schema_field(OBJECT), FREE),
    ("none", VLLM, FREE),
    ("vllm", {"structured_outputs": {"choice": []}}, None),
    ("vllm", {"structured_outputs": CHOICES}, None),
    ("openai", {"response_format": {"type": "json_object"}}, FREE),
    ("openai", {"response_format": {"type": "json_schema"}}, None),
    ("openai", schema_field({**OBJECT, "properties": {}}), None),
    (
        "openai",
        schema_field({**OBJECT, "properties": {"a": {"enum": [f"{i}" for i in range(1001)]}}}),
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
    sent = body(clip, QUESTION, logprobs=True, top_logprobs=2, **schema_field(OBJECT))
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
