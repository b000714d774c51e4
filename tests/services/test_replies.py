import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackbox_anon.errors import MLLMError
from blackbox_anon.mllms import Failure, Response, Usage
from blackbox_anon.services import Expected, first_token_logprobs, read_reply, same_model

USAGE = {"prompt_tokens": 11, "completion_tokens": 2, "total_tokens": 13}


def expected(*choices: str, models: tuple[str, ...] = ("gpt-4o",)) -> Expected:
    return Expected(models=models, choices=list(choices) or None, choice_field="json_schema")


def reply(content: object = "run", **changes: object) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, "refusal": changes.pop("refusal", None)}
    finish = changes.pop("finish_reason", "stop")
    logprobs = changes.pop("logprobs", None)
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": logprobs}
    return {"model": "gpt-4o-2024-08-06", "choices": [choice], "usage": USAGE, **changes}


def read(found: object, *choices: str) -> object:
    return read_reply(json.dumps(found).encode(), expected(*choices))


def test_reads_text_and_usage() -> None:
    usage = Usage(input_tokens=11, output_tokens=2)
    assert read(reply(" He runs. ")) == Response(text="He runs.", usage=usage)
    assert read(reply(usage=None)) == Response(text="run")
    parts = [{"type": "text", "text": "He "}, {"type": "text", "text": "runs"}]
    assert read(reply(parts)) == Response(text="He runs", usage=usage)


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        ({}, "malformed"),
        ([], "malformed"),
        (reply(choices=[]), "malformed"),
        (reply(choices=None), "malformed"),
        (reply(choices=[None]), "malformed"),
        (reply(choices=reply()["choices"] * 2), "malformed"),
        (reply(None), "malformed"),
        (reply("  "), "malformed"),
        (reply("", finish_reason="length"), "malformed"),
        (reply(model="gpt-4o-mini"), "malformed"),
        (reply(model="gpt-4"), "malformed"),
        (reply(None, refusal="I cannot"), "refusal"),
        (reply("run", refusal="I cannot"), "refusal"),
        (reply("run", finish_reason="content_filter"), "refusal"),
        ({"error": {"message": "Upstream", "code": 502}}, "server_error"),
        ({"error": "overloaded"}, "server_error"),
        ({"error": {"message": "slow", "code": "rate_limit_exceeded"}}, "rate_limit"),
        ({"error": {"message": "slow", "code": 429}, **reply()}, "rate_limit"),
    ],
)
def test_everything_else_is_a_failure(found: object, kind: str) -> None:
    answer = read(found)
    assert isinstance(answer, Failure)
    assert answer.kind == kind
    if kind in ("refusal", "malformed") and isinstance(found, dict) and "usage" in found:
        assert answer.usage == Usage(input_tokens=11, output_tokens=2)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"choices": [', b'{"a": 1}{"a": 1}', b"\xff"])
def test_what_is_no_json_may_have_been_billed(body: bytes) -> None:
    answer = read_reply(body, expected())
    assert isinstance(answer, Failure)
    assert (answer.kind, answer.outcome_known) == ("malformed", False)


@pytest.mark.parametrize("code", ["invalid_api_key", "model_not_found", "insufficient_quota", 401])
def test_what_will_not_pass_is_an_error(code: str | int) -> None:
    found = read({"error": {"message": "no", "code": code}})
    assert isinstance(found, MLLMError)
    assert not found.billed


def test_an_answer_outside_the_choices_is_no_response() -> None:
    classes = ("walk", "run")
    assert read(reply('{"answer": "run"}'), *classes) == read(reply("Run."), *classes)
    for content, kind in (("jump", "wrong_class"), ('{"answer": "ru', "malformed")):
        answer = read(reply(content), *classes)
        assert isinstance(answer, Failure)
        assert answer.kind == kind


@settings(max_examples=30)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_no_part_of_a_reply_can_crash_the_reader(odd: object) -> None:
    for part in ("model", "choices", "usage", "error"):
        read({**reply(), part: odd}, "walk", "run")
    choice = reply()["choices"][0]
    for part in choice:
        read({**reply(), "choices": [{**choice, part: odd}]}, "walk", "run")
    for part in choice["message"]:
        changed = {**choice, "message": {**choice["message"], part: odd}}
        read({**reply(), "choices": [changed]}, "walk", "run")
    read(reply(logprobs={"content": odd}))
    read(reply(logprobs={"content": [{"token": odd, "top_logprobs": odd}]}))


@pytest.mark.parametrize(
    ("asked", "named", "same"),
    [
        ("gpt-4o", "gpt-4o", True),
        ("gpt-4o", "GPT-4o-2024-08-06", True),
        ("gpt-4o-2024-08-06", "gpt-4o", True),
        ("openai/gpt-4o", "gpt-4o-2024-08-06", True),
        ("llava", "llava:latest", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("gpt-4o", "gpt-4o-mini-2024-07-18", False),
        ("gpt-4", "gpt-4o", False),
        ("gpt-4o", "", False),
        ("m", "peopleworld", False),
    ],
)
def test_a_dated_snapshot_is_no_other_model(asked: str, named: str, same: bool) -> None:
    assert same_model(asked, named) is same


def test_other_names_can_be_allowed() -> None:
    body = json.dumps(reply(model="backend-7")).encode()
    assert isinstance(read_reply(body, expected()), Failure)
    assert isinstance(read_reply(body, expected(models=("gpt-4o", "backend-7"))), Response)


def entry(token: str, **tops: float) -> dict[str, Any]:
    return {
        "token": token,
        "logprob": 0.0,
        "top_logprobs": [{"token": text, "logprob": logprob} for text, logprob in tops.items()],
    }


def test_logprobs_are_those_where_the_answer_starts() -> None:
    tops = {"ru": -0.2, "wa": -2.0}
    rest = entry("n", n=-0.1)
    bare = [entry("ru", **tops), rest]
    assert first_token_logprobs(bare, "run") == tops
    assert first_token_logprobs([entry('{"answer": "', x=0.0), *bare], "run") == tops
    assert first_token_logprobs([entry("\n", x=0.0), *bare], "run") == tops
    assert first_token_logprobs([entry("<0xE2>"), *bare], "other text") is None
    assert first_token_logprobs([], "run") is None


def test_tokens_that_differ_in_space_count_as_one() -> None:
    found = first_token_logprobs(
        [entry(" run", **{" run": math.log(0.5), "run": math.log(0.25)})], "run"
    )
    assert found is not None
    assert math.exp(found["run"]) == pytest.approx(0.75)


def test_impossible_tokens_are_left_out() -> None:
    assert first_token_logprobs([entry("run", run=-0.1, walk=-9999.0)], "run") == {"run": -0.1}


def test_a_reply_without_the_answers_token_has_no_logprobs() -> None:
    assert first_token_logprobs([entry("")], "run") is None


def test_logprobs_may_end_within_the_answer() -> None:
    tops = {"pick": -0.2, "wa": -2.0}
    assert (
        first_token_logprobs([entry('{"answer": "', x=0.0), entry("pick", **tops)], "pick up")
        == tops
    )


def test_odd_usage_is_none() -> None:
    assert read(reply(usage={"prompt_tokens": "11"})) == Response(text="run")
