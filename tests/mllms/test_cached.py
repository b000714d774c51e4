"""What is kept, and what is not."""

import math
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackbox_anon.mllms import (
    Answer,
    Failure,
    Request,
    Response,
    Usage,
)
from blackbox_anon.mllms.answer_store import from_json, to_json
from tests.mllms.caching import cached
from tests.mllms.services import ScriptedService, clips, says

TEXTS = st.text('aé\ud800"\\\n\0', max_size=6)  # all that JSON and UTF-8 treat in a way of its own


def test_a_question_is_asked_once_also_after_a_restart(tmp_path: Path) -> None:
    def script(request: Request, number: int) -> Answer:
        logprobs = {"a": -1 / 3, "b": -math.inf, "ü\ud800": -5e-324}
        usage = Usage(input_tokens=number, output_tokens=1)
        return Response(text=f"{request.prompt} {number}", top_logprobs=logprobs, usage=usage)

    first = ScriptedService(script)
    mllm = cached(first, tmp_path)
    answers = mllm.query(clips(4), list("abcd"))
    assert mllm.query(clips(4), list("abcd")) == answers
    assert mllm.figures() == {
        "cache_hits": 4,
        "cache_shared": 0,
        "cache_size": 4,
        "service_calls": 4,
    }
    mllm.close()
    second = ScriptedService(script)
    assert cached(second, tmp_path).query(clips(4), list("abcd")) == answers
    assert second.asked == []


@given(
    text=TEXTS,
    logprobs=st.none() | st.dictionaries(TEXTS, st.floats(allow_nan=False), max_size=5),
    usage=st.none() | st.builds(Usage, input_tokens=st.integers(0), output_tokens=st.integers(0)),
)
def test_answers_come_back_bit_for_bit(
    text: str, logprobs: Mapping[str, float] | None, usage: Usage | None
) -> None:
    answer = Response(text=text, top_logprobs=logprobs, usage=usage)
    found = from_json(to_json(answer))
    assert found == answer
    if logprobs is not None:
        assert found.top_logprobs is not None
        assert [v.hex() for v in found.top_logprobs.values()] == [
            v.hex() for v in logprobs.values()
        ]
        assert list(found.top_logprobs) == list(logprobs)


class Named(ScriptedService):
    """A model of another name or temperature."""

    name: Mapping[str, object]

    @property
    def identity(self) -> Mapping[str, object]:
        return self.name


def test_every_part_of_the_question_counts(tmp_path: Path) -> None:
    frames = clips(1)
    changed = frames.clone()
    changed[0, 0, 0, 0, 0] ^= 1
    asked = 0
    for name in ({"model": "m", "temperature": 0}, {"model": "n", "temperature": 0}):
        for pixels in (frames, changed):
            for prompt in ("?", "? "):
                service = Named(says("yes"))
                service.name = name
                cached(service, tmp_path).query(pixels, [prompt])
                asked += len(service.asked)
    assert asked == 8
    service = Named(says("no"))
    service.name = {"temperature": 0, "model": "m"}  # the order of keys does not count
    assert cached(service, tmp_path).query(frames, ["?"]) == [Response(text="yes")]


@pytest.mark.parametrize(
    "answer",
    [
        Failure(kind="refusal", message="no"),
        Failure(kind="timeout", message="late", outcome_known=False),
        Response(text=""),
        Response(text=" \n"),
    ],
)
def test_failures_and_empty_answers_are_not_kept(answer: Answer, tmp_path: Path) -> None:
    service = ScriptedService(lambda _, number: answer if number == 0 else Response(text="yes"))
    mllm = cached(service, tmp_path)
    assert mllm.query(clips(1), ["?"]) == [answer]
    assert mllm.query(clips(1), ["?"]) == [Response(text="yes")]
