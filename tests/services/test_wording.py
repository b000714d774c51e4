import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackbox_anon.services import FAMILIES, FamilyName, Wording, family_name
from blackbox_anon.services.families import FAMILY_NAMES

CHOICES = ["walk", "sit (down)", "pick up"]
IMAGES = ["data:image/png;base64,AAAA", "data:image/png;base64,BBBB"]


def asked(name: FamilyName, **changes: Any) -> dict[str, Any]:  # noqa: ANN401  (of Wording)
    family = FAMILIES[name]
    wording = Wording(
        model="m", family=family, max_new_tokens=9, num_logprobs=min(family.logprobs, 5), **changes
    )
    found = json.loads(wording.body("What?", IMAGES))
    assert isinstance(found, dict)
    return found


def test_reasoning_models_get_nothing_that_they_refuse() -> None:
    body = asked("openai_reasoning")
    refused = {"temperature", "seed", "logprobs", "top_logprobs", "max_tokens"}
    assert not refused & set(body)
    assert body["max_completion_tokens"] == 9
    assert body["store"] is False


@pytest.mark.parametrize("name", ["openai", "vllm", "sglang", "ollama", "generic"])
def test_others_decode_greedily(name: FamilyName) -> None:
    body = asked(name)
    assert (body["temperature"], body["seed"]) == (0, 0)
    assert (body["logprobs"], body["top_logprobs"]) == (True, 5)
    limits = {
        field: body[field] for field in ("max_tokens", "max_completion_tokens") if field in body
    }
    assert limits == {"max_completion_tokens" if name == "openai" else "max_tokens": 9}
    assert ("store" in body) == (name == "openai")
    assert "seed" not in asked(name, seed=None)


def test_choices_stand_in_the_field_that_the_server_honours() -> None:
    fields = {
        name: {"structured_outputs", "regex", "response_format"} & set(asked(name, choices=CHOICES))
        for name in FAMILY_NAMES
    }
    schema = {"response_format"}
    assert fields == {
        "openai": schema,
        "openai_reasoning": schema,
        "vllm": {"structured_outputs"},
        "sglang": {"regex"},
        "ollama": schema,
        "generic": schema,
    }
    assert asked("vllm", choices=CHOICES)["structured_outputs"] == {"choice": CHOICES}
    assert asked("sglang", choices=CHOICES)["regex"] == r"(walk|sit \(down\)|pick up)"
    named = asked("openai", choices=CHOICES)["response_format"]
    assert named["type"] == "json_schema"
    assert named["json_schema"]["strict"] is True
    assert named["json_schema"]["schema"]["additionalProperties"] is False
    assert named["json_schema"]["schema"]["properties"]["answer"]["enum"] == CHOICES


@pytest.mark.parametrize("text", ["first", "last"])
def test_frames_keep_their_order(text: str) -> None:
    [message] = asked("openai", text=text, detail="high")["messages"]
    kinds = [part["type"] for part in message["content"]]
    assert kinds.index("text") == (0 if text == "first" else 2)
    shown = [part["image_url"] for part in message["content"] if part["type"] == "image_url"]
    assert shown == [{"url": image, "detail": "high"} for image in IMAGES]
    [message] = asked("vllm")["messages"]
    assert message["content"][1]["image_url"] == {"url": IMAGES[0]}


def test_further_fields_take_the_place_of_ours() -> None:
    body = asked("openai", extra={"temperature": 0.7, "top_p": 0.9})
    assert (body["temperature"], body["top_p"]) == (0.7, 0.9)


@given(st.text(), st.lists(st.text(alphabet="ab+/="), max_size=2), st.sampled_from(FAMILY_NAMES))
def test_is_canonical_json(question: str, images: list[str], name: FamilyName) -> None:
    wording = Wording(model="m", family=FAMILIES[name], max_new_tokens=9)
    body = wording.body(question, images)
    assert body == wording.body(question, images)
    found = json.loads(body)
    again = json.dumps(found, sort_keys=True, separators=(",", ":"))
    assert again.encode() == body
    [message] = found["messages"]
    assert message["content"][0]["text"] == question


@pytest.mark.parametrize(
    ("base_url", "model", "expected"),
    [
        ("https://api.openai.com/v1", "gpt-4o", "openai"),
        ("https://api.openai.com/v1", "o4-mini", "openai_reasoning"),
        ("https://api.openai.com/v1", "gpt-5.2", "openai_reasoning"),
        ("https://api.openai.com/v1", "gpt-5-chat-latest", "openai"),
        ("https://eu.api.openai.com/v1", "gpt-4.1", "openai"),
        ("https://x.openai.azure.com/openai/v1", "gpt-5", "openai_reasoning"),
        ("https://openai.com.example.org/v1", "gpt-4o", "generic"),
        ("http://127.0.0.1:8000/v1", "gpt-4o", "generic"),
        ("http://127.0.0.1:11434/v1", "llava", "ollama"),
        ("http://127.0.0.1:30000/v1", "qwen", "sglang"),
    ],
)
def test_the_family_is_told_by_address_and_model(
    base_url: str, model: str, expected: FamilyName
) -> None:
    assert family_name("auto", base_url, model) == expected
    assert family_name("vllm", base_url, model) == "vllm"
