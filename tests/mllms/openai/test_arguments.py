"""What it is made with, and where it lives."""

import asyncio
import pickle

import pytest

from blackbox_anon.mllms import Answer, OpenAICompatibleMLLM, Request, Response
from blackbox_anon.server import serve
from tests.mllms.openai.asking import MODEL, ask, asking, clips


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens"),
        ({"num_logprobs": 21}, "`num_logprobs` must be from 0 to 20"),
        ({"num_logprobs": 1, "family": "openai_reasoning"}, "`num_logprobs` must be from 0 to 0"),
        ({"compression": 10}, "compression"),
        ({"max_images": 0}, "max_images"),
        ({"image_tokens": -1}, "image_tokens"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"prompt_template": "What?"}, "prompt_template"),
        ({"choices": ["a"]}, "choices"),
        ({"extra_body": {"stream": True}}, "extra_body"),
        ({"extra_body": {"max_tokens": 9}}, "extra_body"),
        ({"start_concurrency": 101}, "start"),
        ({"base_url": "ftp://x"}, "base_url"),
        ({"base_url": "https://user:secret@x/v1"}, "base_url"),
        ({"base_url": "https://x/v1?key=secret"}, "base_url"),
    ],
)
def test_refuses_arguments_without_sense(arguments: dict[str, object], match: str) -> None:
    with pytest.raises(ValueError, match=match) as caught:
        OpenAICompatibleMLLM("m", **arguments)  # type: ignore[arg-type]  # on purpose
    assert "secret" not in str(caught.value)


def test_jpeg_warns() -> None:
    with pytest.warns(UserWarning, match="jpeg erases"):
        OpenAICompatibleMLLM("m", image_format="jpeg")


def test_the_address_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert OpenAICompatibleMLLM("m").base_url == "https://api.openai.com/v1"
    monkeypatch.setenv("OPENAI_API_BASE", "http://127.0.0.1:9/v1/chat/completions")
    assert OpenAICompatibleMLLM("m").base_url == "http://127.0.0.1:9/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:8/v1")
    assert OpenAICompatibleMLLM("m").base_url == "http://127.0.0.1:8/v1"


def test_pickles_and_is_used_again() -> None:
    with serve(MODEL) as running, asking(running.base_url) as mllm:
        ask(mllm)
        again = pickle.loads(pickle.dumps(mllm))
        [answer] = ask(again)
        again.close()
        mllm.close()
        [reopened] = ask(mllm)
    assert isinstance(answer, Response)
    assert isinstance(reopened, Response)


def test_works_in_any_event_loop() -> None:
    async def once(mllm: OpenAICompatibleMLLM) -> Answer:
        answer = await mllm.answer(Request(frames=clips()[0], prompt="What?"))
        assert mllm._lines._line is not None
        await mllm._lines._line.transport.close()
        return answer

    with serve(MODEL) as running, asking(running.base_url) as mllm:
        answers = [asyncio.run(once(mllm)), asyncio.run(once(mllm)), *ask(mllm)]
    assert all(isinstance(answer, Response) for answer in answers)
