"""Work of the caller while requests are under way."""

import asyncio
import threading
from pathlib import Path

import pytest
import torch
from aiohttp import web

from blackbox_anon.mllms import (
    AbstractAsyncMLLM,
    AbstractMLLM,
    AnonymizedFrames,
    Answer,
    CachedMLLM,
    OpenAICompatibleMLLM,
    Request,
    Response,
    RetryingMLLM,
)
from tests.mllms import stub_service
from tests.mllms.services import BatchRecorder, clips

LONG_S = 60.0
PROMPTS = ["a", "b", "c"]


class Waiting(AbstractAsyncMLLM):
    """Answers nothing before ``go`` is set, by whoever should be at work meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.arrived = threading.Semaphore(0)
        self.answered: list[str] = []

    async def answer(self, request: Request) -> Answer:
        self.arrived.release()
        assert await asyncio.to_thread(self.go.wait, LONG_S), "nobody worked meanwhile"
        self.answered.append(request.prompt)
        return Response(text=request.prompt)


@pytest.mark.parametrize("wrapped", [False, True])
def test_work_is_done_once_in_this_thread_while_all_requests_are_under_way(
    wrapped: bool, tmp_path: Path
) -> None:
    inner, threads = Waiting(), list[threading.Thread]()
    mllm: AbstractMLLM = inner
    if wrapped:
        mllm = CachedMLLM(RetryingMLLM(inner), path=str(tmp_path / "answers.db"))

    def work() -> None:
        assert not torch.is_grad_enabled()
        assert all(inner.arrived.acquire(timeout=LONG_S) for _ in PROMPTS)
        threads.append(threading.current_thread())
        inner.go.set()

    answers = mllm.query(clips(3), PROMPTS, meanwhile=work)
    assert [answer.text for answer in answers if isinstance(answer, Response)] == PROMPTS
    assert threads == [threading.current_thread()]
    assert mllm.queries == 3


def test_a_local_model_has_nothing_under_way() -> None:
    mllm = BatchRecorder()
    plain = mllm.query(clips(2), ["a", "b"])
    calls: list[None] = []
    assert mllm.query(clips(2), ["a", "b"], meanwhile=lambda: calls.append(None)) == plain
    assert not calls


def test_a_wrapped_local_model_answers_the_same_batch_meanwhile(tmp_path: Path) -> None:
    mllm = BatchRecorder()
    wrapped = CachedMLLM(mllm, path=str(tmp_path / "answers.db"))
    calls: list[None] = []
    found = wrapped.query(clips(2), ["a", "b"], meanwhile=lambda: calls.append(None))
    assert found == BatchRecorder().query(clips(2), ["a", "b"])
    assert len(calls) == len(mllm.batches) == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_the_work_raises_is_raised_after_the_answers(
    error: type[BaseException],
) -> None:
    mllm = Waiting()

    def work() -> None:
        assert all(mllm.arrived.acquire(timeout=LONG_S) for _ in PROMPTS)
        mllm.go.set()
        raise error("in the work")

    with pytest.raises(error, match="in the work"):
        mllm.query(clips(3), PROMPTS, meanwhile=work)
    assert sorted(mllm.answered) == PROMPTS


def test_a_clip_is_encoded_while_another_request_is_at_the_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second clip's images are not written before the first request has arrived."""
    arrived = threading.Event()

    def reply(request: web.Request) -> web.Response:
        del request
        arrived.set()
        return web.json_response(
            {
                "id": "1",
                "object": "chat.completion",
                "created": 0,
                "model": "m",
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": "stop",
                        "message": {"role": "assistant", "content": "yes"},
                    }
                ],
                "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            }
        )

    with stub_service.serve(reply) as url:
        mllm = OpenAICompatibleMLLM("m", base_url=url, api_key_env=None, family="generic")
        write = mllm.payload

        def payload(request: Request) -> bytes:
            if request.prompt == "b":
                assert arrived.wait(LONG_S), "the first request waits for the second's images"
            return write(request)

        monkeypatch.setattr(mllm, "payload", payload)
        answers = mllm.query(AnonymizedFrames(clips(2)), ["a", "b"])
        mllm.close()
    assert [a.text for a in answers if isinstance(a, Response)] == ["yes", "yes"]
