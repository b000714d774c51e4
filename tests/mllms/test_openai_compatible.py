"""Against the rehearsal server; what it never sends comes from a stub of a few lines."""

import asyncio
import hashlib
import json
import logging
import pickle
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from aiohttp import web
from torch import Tensor

from blackbox_anon.errors import MLLMError
from blackbox_anon.mllms import (
    AnonymizedFrames,
    Answer,
    Failure,
    OpenAICompatibleMLLM,
    RawFrames,
    Request,
    Response,
    RetryingMLLM,
)
from blackbox_anon.mllms.asynchronous import event_loop
from blackbox_anon.server import FAULT_KINDS, FaultKind, Running, ServiceOptions, serve
from tests.mllms_fakes import LinearMLLM
from tests.services.test_images import decoded

CANARY = "sk-canary-0123456789abcdefXYZ"
CLASSES = ["walk", "run", "pick up"]
MODEL = LinearMLLM(CLASSES, [0.0, 4.0, 8.0])

EXPECTED: dict[FaultKind, tuple[str, bool]] = {
    "429": ("rate_limit", True),
    "429-bare": ("rate_limit", True),
    "500": ("server_error", True),
    "error-200": ("server_error", True),
    "reset": ("server_error", False),
    "drip": ("timeout", False),
    "malformed": ("malformed", False),
    "duplicate": ("malformed", False),
    "empty": ("malformed", True),
    "refusal": ("refusal", True),
    "content-filter": ("refusal", True),
    "wrong-model": ("malformed", True),
}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_KEY", CANARY)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE", "OPENAI_LOG"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def asking(base_url: str, **arguments: object) -> Iterator[OpenAICompatibleMLLM]:
    """A client of a service, with the canary key."""
    given = {"family": "openai", "timeout_s": 5.0, "api_key_env": "CANARY_KEY", **arguments}
    mllm = OpenAICompatibleMLLM("peopleworld", base_url=base_url, **given)  # type: ignore[arg-type]  # the test's
    try:
        yield mllm
    finally:
        mllm.close()


@contextmanager
def stub(reply: Callable[[web.Request], web.StreamResponse]) -> Iterator[str]:
    """A service that answers as it is told to."""
    from tests.mllms import stub_service

    with stub_service.serve(reply) as base_url:
        yield base_url


def clips(count: int = 1) -> Tensor:
    return torch.randint(0, 256, (count, 2, 3, 8, 6), dtype=torch.uint8)


def ask(mllm: OpenAICompatibleMLLM, count: int = 1) -> list[Answer]:
    return mllm.query(AnonymizedFrames(clips(count)), ["What?"] * count)


@pytest.mark.parametrize("structured", ["openai", "vllm", "sglang", "ollama"])
@pytest.mark.parametrize("image_format", ["png", "webp"])
def test_answers_as_the_model_does(structured: str, image_format: str) -> None:
    """Through images, JSON and HTTP, every figure is the one of the model asked directly."""
    frames = clips(3)
    with (
        serve(MODEL, ServiceOptions(structured=structured)) as running,  # type: ignore[arg-type]  # parametrized
        asking(
            running.base_url, family=structured, choices=CLASSES, image_format=image_format
        ) as mllm,
    ):
        remote = mllm.query(AnonymizedFrames(frames), ["What?"] * 3)
    for answer, local in zip(remote, MODEL.query(frames, ["What?"] * 3), strict=True):
        assert isinstance(answer, Response)
        assert isinstance(local, Response)
        assert answer.text == local.text
        assert answer.top_logprobs == local.top_logprobs
        assert answer.usage is not None


@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_every_fault_is_the_right_failure(kind: FaultKind) -> None:
    options = ServiceOptions(faults={kind: 1.0}, drip_s=1.5, retry_after_s=0.25)
    with (
        serve(MODEL, options) as running,
        asking(running.base_url, timeout_s=0.75, choices=CLASSES) as mllm,
    ):
        [answer] = ask(mllm)
    assert isinstance(answer, Failure)
    assert (answer.kind, answer.outcome_known) == EXPECTED[kind]
    assert answer.retry_after_s == (0.25 if kind == "429" else None)
    billed = kind in ("empty", "refusal", "content-filter", "wrong-model")
    assert (answer.usage is not None) == billed
    assert running.stats()["received"] == 1  # nothing is repeated here


def test_an_answer_outside_the_choices_is_a_failure() -> None:
    with (
        serve(MODEL, ServiceOptions(structured="none")) as running,
        asking(running.base_url, choices=["sit", "stand"]) as mllm,
    ):
        [answer] = ask(mllm)
    assert isinstance(answer, Failure)
    assert answer.kind == "wrong_class"
    assert answer.usage is not None


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
    url = "http://127.0.0.1:1/v1"
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


def test_the_key_is_in_the_header_and_nowhere_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_LOG", "debug")
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-admin-of-the-same-shell")
    for name in ("openai", "httpx2", "httpcore2", "httpx", "httpcore"):
        caplog.set_level(logging.DEBUG, logger=name)
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []
    options = ServiceOptions(
        api_key=CANARY,
        record_bytes=tmp_path,
        faults=dict.fromkeys(FAULT_KINDS, 0.08),
        drip_s=0.1,
        retry_after_s=0.01,
    )
    with serve(MODEL, options) as running, asking(running.base_url) as mllm:
        shown += map(repr, ask(mllm, 12))
        shown += [repr(mllm), str(vars(mllm)), repr(mllm.identity), repr(mllm.figures())]
        shown += [pickle.dumps(mllm).decode("latin-1")]
    refusing = ServiceOptions(api_key="another")
    with serve(MODEL, refusing) as running, asking(running.base_url) as mllm:
        with pytest.raises(MLLMError, match="the key is refused") as caught:
            ask(mllm)
        shown += [*chained(caught.value), str(caught.getrepr(showlocals=True, style="long"))]
    with asking("http://127.0.0.1:1/v1") as mllm:
        shown += map(repr, ask(mllm))
    shown += [record.getMessage() + str(record.__dict__) for record in caplog.records]
    assert not [text[:2000] for text in shown if "data:image/png" in text]
    shown += [body.read_text() for body in (tmp_path / "bodies").iterdir()]
    assert not [text[:2000] for text in shown if "canary-0123456" in text]
    for connection in (tmp_path / "connections").iterdir():
        assert b"sk-admin" not in connection.read_bytes()
        for head in connection.read_bytes().lower().split(b"post ")[1:]:
            lines = [line for line in head.split(b"\r\n") if CANARY.lower().encode() in line]
            assert lines == [b"authorization: bearer " + CANARY.lower().encode()]


def chained(error: BaseException | None) -> list[str]:
    """An error and what it came from."""
    found = []
    while error is not None:
        found.append(repr(error) + str(error.__dict__))
        error = error.__cause__ or error.__context__
    return found


def test_only_released_frames_leave(caplog: pytest.LogCaptureFixture) -> None:
    with serve(MODEL) as running, asking(running.base_url) as mllm:
        assert mllm.sends_images
        with pytest.raises(TypeError, match="AnonymizedFrames"):
            mllm.query(clips(), ["What?"])
        assert running.stats()["received"] == 0
        mllm.query(RawFrames(clips(), purpose="baseline"), ["What?"])
        assert running.stats()["received"] == 1
    assert "raw pixels are sent" in caplog.text


def test_a_missing_key_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CANARY_KEY")
    with asking("http://127.0.0.1:1/v1") as mllm, pytest.raises(MLLMError, match="CANARY_KEY"):
        ask(mllm)


def test_a_key_given_as_name_is_not_repeated() -> None:
    with pytest.raises(ValueError, match="could be a key itself") as caught:
        OpenAICompatibleMLLM("m", api_key_env=CANARY)
    assert CANARY not in str(caught.value)


def test_a_server_without_keys_needs_none(tmp_path: Path) -> None:
    with (
        serve(MODEL, ServiceOptions(record_bytes=tmp_path)) as running,
        asking(running.base_url, api_key_env=None) as mllm,
    ):
        [answer] = ask(mllm)
    assert isinstance(answer, Response)
    [connection] = (tmp_path / "connections").iterdir()
    assert b"canary" not in connection.read_bytes()


def test_a_refused_connection_is_known_to_have_cost_nothing() -> None:
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        with asking(f"http://127.0.0.1:{taken.getsockname()[1]}") as mllm:
            [answer] = ask(mllm)
    assert isinstance(answer, Failure)
    assert (answer.kind, answer.outcome_known) == ("server_error", True)


def test_silence_is_a_timeout_of_unknown_outcome() -> None:
    with (
        serve(MODEL, ServiceOptions(latency_s=(1.0, 1.0))) as running,
        asking(running.base_url, timeout_s=0.3) as mllm,
    ):
        [answer] = ask(mllm)
    assert isinstance(answer, Failure)
    assert (answer.kind, answer.outcome_known) == ("timeout", False)


@pytest.mark.parametrize(
    ("options", "arguments", "reason"),
    [
        ({"api_key": "another"}, {}, "the key is refused .HTTP 401"),
        ({"model": "other"}, {}, "the model or the address does not exist .HTTP 404"),
        ({"max_images": 1}, {}, "the request is refused .HTTP 400"),
        ({}, {"extra_body": {"top_logprobs": 21}}, "the request is refused .HTTP 400"),
    ],
)
def test_what_will_not_pass_stops_the_run(
    options: dict[str, object], arguments: dict[str, object], reason: str
) -> None:
    with (
        serve(MODEL, ServiceOptions(**options)) as running,  # type: ignore[arg-type]  # parametrized
        asking(running.base_url, **arguments) as mllm,
        pytest.raises(MLLMError, match=reason) as caught,
    ):
        ask(mllm)
    assert not caught.value.billed


def test_redirects_are_not_followed() -> None:
    """Frames and key would go where nobody sent them."""
    followed = []

    def redirect(request: web.Request) -> web.StreamResponse:
        followed.append(request.path)
        return web.Response(status=307, headers={"Location": "/v1/elsewhere"})

    with (
        stub(redirect) as base_url,
        asking(base_url) as mllm,
        pytest.raises(MLLMError, match="307"),
    ):
        ask(mllm)
    assert followed == ["/v1/chat/completions"]


@pytest.mark.parametrize(
    ("status", "headers", "kind", "wait_s"),
    [
        (429, {"Retry-After": "0.2"}, "rate_limit", 0.2),
        (429, {"retry-after-ms": "50", "Retry-After": "9"}, "rate_limit", 0.05),
        (503, {"Retry-After": "0.1"}, "server_error", 0.1),
        (529, {}, "server_error", None),
    ],
)
def test_waits_are_passed_on(
    status: int, headers: dict[str, str], kind: str, wait_s: float | None
) -> None:
    def busy(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers=headers, text="busy")

    with stub(busy) as base_url, asking(base_url) as mllm:
        [answer] = ask(mllm)
    assert isinstance(answer, Failure)
    assert (answer.kind, answer.retry_after_s) == (kind, wait_s)


def test_an_echoed_key_and_image_are_scrubbed() -> None:
    def echo(request: web.Request) -> web.StreamResponse:
        message = f"bad {request.headers['Authorization']} and data:image/png;base64,AAAA"
        return web.json_response({"error": {"message": message}}, status=400)

    with stub(echo) as base_url, asking(base_url) as mllm, pytest.raises(MLLMError) as caught:
        ask(mllm)
    assert "bad ***" in str(caught.value)
    assert "AAAA" not in str(caught.value)
    assert "canary" not in str(caught.value)


def test_is_asked_again_from_outside(served_twice: Running) -> None:
    """The wrapper repeats; this client does not, and loses no answer on the way."""
    with asking(served_twice.base_url, choices=CLASSES) as mllm:
        retrying = RetryingMLLM(mllm, base_delay_s=0.01, max_attempts=30)
        answers = retrying.query(AnonymizedFrames(clips(12)), ["What?"] * 12)
    assert all(isinstance(answer, Response) for answer in answers)
    assert served_twice.stats()["received"] > 12


@pytest.fixture
def served_twice() -> Iterator[Running]:
    faults: dict[FaultKind, float] = {"429": 0.2, "500": 0.2, "reset": 0.1, "malformed": 0.1}
    with serve(MODEL, ServiceOptions(faults=faults, retry_after_s=0.01)) as running:
        yield running


def test_the_worst_case_is_not_exceeded_by_the_text() -> None:
    request = Request(frames=clips()[0], prompt="What?" * 50)
    with asking("http://127.0.0.1:1/v1", image_tokens=100, max_new_tokens=7) as mllm:
        usage = mllm.worst_case(request)
        text = len(mllm.payload(request)) - sum(
            len(part["image_url"]["url"])
            for part in json.loads(mllm.payload(request))["messages"][0]["content"][1:]
        )
    assert usage.input_tokens == text + 2 * 100
    assert usage.output_tokens == 7


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


def test_too_many_frames_are_refused_before_anything_is_sent() -> None:
    with serve(MODEL) as running, asking(running.base_url, max_images=1) as mllm:
        with pytest.raises(ValueError, match="`max_images` of peopleworld is 1; found a clip of 2"):
            ask(mllm)
        assert running.stats()["received"] == 0


def test_jpeg_warns() -> None:
    with pytest.warns(UserWarning, match="jpeg erases"):
        OpenAICompatibleMLLM("m", image_format="jpeg")


def test_the_address_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert OpenAICompatibleMLLM("m").base_url == "https://api.openai.com/v1"
    monkeypatch.setenv("OPENAI_API_BASE", "http://127.0.0.1:9/v1/chat/completions")
    assert OpenAICompatibleMLLM("m").base_url == "http://127.0.0.1:9/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:8/v1")
    assert OpenAICompatibleMLLM("m").base_url == "http://127.0.0.1:8/v1"


def test_the_prompt_can_name_the_choices() -> None:
    mllm = OpenAICompatibleMLLM(
        "m", choices=CLASSES, prompt_template="{question} One of: {choices}."
    )
    parts = json.loads(mllm.payload(Request(frames=clips()[0], prompt="What?")))["messages"]
    assert parts[0]["content"][0]["text"] == "What? One of: walk, run, pick up."


def test_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blackbox_anon.mllms.openai_compatible.find_spec", lambda _: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'blackbox-anon\[api\]'"):
        OpenAICompatibleMLLM("m")


def test_what_is_known_of_a_model_bounds_its_images() -> None:
    request = Request(frames=torch.zeros(2, 3, 64, 64, dtype=torch.uint8), prompt="What?")
    known = OpenAICompatibleMLLM("gpt-4o", family="openai").worst_case(request)
    free = OpenAICompatibleMLLM("gpt-4o", family="openai", image_tokens=0).worst_case(request)
    assert known.input_tokens - free.input_tokens == 2 * 85


def test_works_in_any_event_loop() -> None:
    async def once(mllm: OpenAICompatibleMLLM) -> Answer:
        answer = await mllm.answer(Request(frames=clips()[0], prompt="What?"))
        assert mllm._line is not None
        await mllm._line.transport.close()
        return answer

    with serve(MODEL) as running, asking(running.base_url) as mllm:
        answers = [asyncio.run(once(mllm)), asyncio.run(once(mllm)), *ask(mllm)]
    assert all(isinstance(answer, Response) for answer in answers)


def test_tells_that_nothing_is_encrypted(caplog: pytest.LogCaptureFixture) -> None:
    OpenAICompatibleMLLM("m", base_url="http://localhost:8000")
    assert "without encryption" not in caplog.text
    OpenAICompatibleMLLM("m", base_url="http://gpu-7.example.org:8000")
    assert "go to gpu-7.example.org without encryption" in caplog.text
