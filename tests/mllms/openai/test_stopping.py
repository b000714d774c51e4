"""What no repetition would change stops the run."""

import pytest
from aiohttp import web

from blackbox_anon.errors import MLLMError
from blackbox_anon.mllms import OpenAICompatibleMLLM
from blackbox_anon.server import ServiceOptions, serve
from tests.mllms.openai.asking import MODEL, NOWHERE, ask, asking, stub


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


def test_a_missing_key_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CANARY_KEY")
    with asking(NOWHERE) as mllm, pytest.raises(MLLMError, match="CANARY_KEY"):
        ask(mllm)


def test_too_many_frames_are_refused_before_anything_is_sent() -> None:
    with serve(MODEL) as running, asking(running.base_url, max_images=1) as mllm:
        with pytest.raises(ValueError, match="`max_images` of peopleworld is 1; found a clip of 2"):
            ask(mllm)
        assert running.stats()["received"] == 0


def test_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blackbox_anon.mllms.openai_compatible.find_spec", lambda _: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'blackbox-anon\[api\]'"):
        OpenAICompatibleMLLM("m")
