"""What is an answer, and what kind of failure everything else is."""

import socket
from collections.abc import Iterator

import pytest
from aiohttp import web

from blackbox_anon.mllms import AnonymizedFrames, Failure, Response, RetryingMLLM
from blackbox_anon.server import FAULT_KINDS, FaultKind, Running, ServiceOptions, serve
from tests.mllms.openai.asking import CLASSES, MODEL, NEVER_S, ask, asking, clips, stub

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
    options = ServiceOptions(faults={kind: 1.0}, drip_s=NEVER_S, retry_after_s=0.25)
    timeout_s = 0.75 if kind == "drip" else NEVER_S
    with (
        serve(MODEL, options) as running,
        asking(running.base_url, timeout_s=timeout_s, choices=CLASSES) as mllm,
    ):
        [answer] = ask(mllm)
    assert isinstance(answer, Failure)
    assert (answer.kind, answer.outcome_known) == EXPECTED[kind]
    assert answer.retry_after_s == (0.25 if kind == "429" else None)
    billed = kind in ("empty", "refusal", "content-filter", "wrong-model")
    assert (answer.usage is not None) == billed
    if kind != "drip":  # on a busy machine that time may be over before anything was sent
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


def test_a_refused_connection_is_known_to_have_cost_nothing() -> None:
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        with asking(f"http://127.0.0.1:{taken.getsockname()[1]}") as mllm:
            [answer] = ask(mllm)
    assert isinstance(answer, Failure)
    assert (answer.kind, answer.outcome_known) == ("server_error", True)


def test_silence_is_a_timeout_of_unknown_outcome() -> None:
    with (
        serve(MODEL, ServiceOptions(latency_s=(NEVER_S, NEVER_S))) as running,
        asking(running.base_url, timeout_s=0.3) as mllm,
    ):
        [answer] = ask(mllm)
    assert isinstance(answer, Failure)
    assert (answer.kind, answer.outcome_known) == ("timeout", False)


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


def test_an_answer_that_was_cut_says_so() -> None:
    """As where ``max_new_tokens`` is too small for the JSON around a choice."""

    def cut(_: web.Request) -> web.StreamResponse:
        choice = {"message": {"content": '{"ans'}, "finish_reason": "length"}
        return web.json_response({"model": "peopleworld", "choices": [choice]})

    with stub(cut) as base_url, asking(base_url, choices=CLASSES) as mllm:
        [answer] = ask(mllm)
    assert isinstance(answer, Failure)
    assert answer.kind == "malformed"
    assert "the limit of tokens was reached" in answer.message
