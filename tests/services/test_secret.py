import copy
import pickle

import pytest

from blackbox_anon.errors import MLLMError
from blackbox_anon.services import ApiKey, scrub

CANARY = "sk-canary-0123456789abcdefXYZ"


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> ApiKey:
    monkeypatch.setenv("CANARY_KEY", CANARY)
    key = ApiKey("CANARY_KEY")
    assert key.value() == CANARY
    return key


def test_is_never_shown(key: ApiKey) -> None:
    shown = [repr(key), str(key), f"{key}", repr([key])]
    shown += [pickle.dumps(key, protocol).decode("latin-1") for protocol in (2, 4, 5)]
    assert not any(CANARY in text for text in shown)
    assert not hasattr(key, "__dict__")
    assert pickle.loads(pickle.dumps(key)).value() == CANARY  # from the environment
    assert copy.deepcopy(key).value() == CANARY


def test_is_read_at_the_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    key = ApiKey("LATER_KEY")
    with pytest.raises(MLLMError, match="LATER_KEY must hold the service's key") as caught:
        key.value()
    assert not caught.value.billed
    monkeypatch.setenv("LATER_KEY", "abcdef")
    assert key.value() == "abcdef"


@pytest.mark.parametrize("value", ["sk-with\nbreak", "sk-ümlaut", "two words"])
def test_refuses_what_an_http_library_would_show(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODD_KEY", value)
    with pytest.raises(MLLMError, match="printable ASCII") as caught:
        ApiKey("ODD_KEY").value()
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        CANARY,
        "sk_live_12345678",
        "hf_abcdefghijkl",
        "AIza_SyA1234",
        "0123456789abcdef",
        "abcdef0123456789",
        "ABCDEF0123456789ABCDEF0123",
        "a b",
        "",
    ],
)
def test_refuses_a_key_as_a_name(given: str) -> None:
    with pytest.raises(ValueError, match="must be the name of an environment variable") as caught:
        ApiKey(given)
    assert not given or given not in str(caught.value)


@pytest.mark.parametrize("given", ["OPENAI_API_KEY", "MY_KEY_2", "openai_key", "KEY"])
def test_accepts_names(given: str) -> None:
    assert ApiKey(given).variable == given


@pytest.mark.parametrize(
    "text",
    [
        f"Incorrect API key provided: {CANARY}.",
        f"header b'Bearer {CANARY}'",
        f"invalid: {CANARY[:14]}****",
        f"ends in ***{CANARY[-9:]}",
        f"url?key={CANARY}&x=1",
    ],
)
def test_scrubs_the_key_and_its_parts(key: ApiKey, text: str) -> None:
    clean = key.scrub(text)
    parts = {CANARY[i : i + 8] for i in range(len(CANARY) - 7)}
    assert "***" in clean
    assert not any(part in clean for part in parts)


def test_scrubs_images_and_leaves_the_rest() -> None:
    assert scrub("bad 'data:image/png;base64,iVBOR' here", None) == "bad 'data:image/***' here"
    assert scrub("model 'gpt-4o' is not there", "EMPTY") == "model 'gpt-4o' is not there"
