"""Neither the key nor pixels are anywhere they should not be."""

import logging
import pickle
from pathlib import Path

import pytest
from aiohttp import web

from blackbox_anon.errors import MLLMError
from blackbox_anon.mllms import OpenAICompatibleMLLM, RawFrames, Response
from blackbox_anon.server import FAULT_KINDS, ServiceOptions, serve
from tests.mllms.openai.asking import CANARY, MODEL, NOWHERE, ask, asking, clips, stub


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
    with asking(NOWHERE) as mllm:
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


def test_an_echoed_key_and_image_are_scrubbed() -> None:
    def echo(request: web.Request) -> web.StreamResponse:
        message = f"bad {request.headers['Authorization']} and data:image/png;base64,AAAA"
        return web.json_response({"error": {"message": message}}, status=400)

    with stub(echo) as base_url, asking(base_url) as mllm, pytest.raises(MLLMError) as caught:
        ask(mllm)
    assert "bad ***" in str(caught.value)
    assert "AAAA" not in str(caught.value)
    assert "canary" not in str(caught.value)


def test_tells_that_nothing_is_encrypted(caplog: pytest.LogCaptureFixture) -> None:
    OpenAICompatibleMLLM("m", base_url="http://localhost:8000")
    assert "without encryption" not in caplog.text
    OpenAICompatibleMLLM("m", base_url="http://gpu-7.example.org:8000")
    assert "go to gpu-7.example.org without encryption" in caplog.text
