"""Which prompt is taken, and what it must hold."""

from types import SimpleNamespace
from typing import Any

import pytest

from blackbox_anon.errors import MLLMError
from blackbox_anon.mllms.local import FAMILIES, Family, PromptTemplate, family_of


def make(family: str, given: str | None = None, **kwargs: Any) -> PromptTemplate:  # noqa: ANN401  # a processor's
    qwen = {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"}
    tokens = qwen if "qwen" in family else {"image_token": "<image>", "video_token": "<video>"}
    parts = {"image_processor": 1, "video_processor": 1, "chat_template": None}
    processor = SimpleNamespace(**{**tokens, **parts, **kwargs})
    return PromptTemplate(processor=processor, family=family_of(family), given=given)


def test_the_published_prompts() -> None:
    """As the families' documentation writes them."""
    llava = make("llava", video_processor=None)
    assert llava.media() == {"images"}
    assert llava.text("images", 1) == "USER: <image>\n{question} ASSISTANT:"
    assert make("video_llava").text("video", 8) == "USER: <video>\n{question} ASSISTANT:"
    assert make("qwen2_5_vl").text("video", 8) == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
        "<|vision_start|><|video_pad|><|vision_end|>{question}<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_a_placeholder_for_each_image() -> None:
    assert make("llava").text("images", 2) == "USER: <image>\n<image>\n{question} ASSISTANT:"
    unit = "<|vision_start|><|image_pad|><|vision_end|>"
    assert unit * 3 + "{question}" in make("qwen2_vl").text("images", 3)
    assert make("qwen2_vl", f"{unit}{{question}}").text("images", 3) == unit * 3 + "{question}"
    bare = make("qwen2_vl", "<|image_pad|>{question}")
    assert bare.text("images", 2) == "<|image_pad|><|image_pad|>{question}"


@pytest.mark.parametrize("given", ["{question}", "<image> {question} <image>"])
def test_a_template_without_its_placeholder(given: str) -> None:
    with pytest.raises(MLLMError, match="`prompt_template` must place '<image>' once for 1 image"):
        make("llava", given).text("images", 1)


def test_a_chat_template_comes_before_the_family() -> None:
    """What is rendered are the turns of the library's documentation."""
    seen = []

    def render(turns: Any, *, add_generation_prompt: bool) -> str:  # noqa: ANN401  # nested lists
        seen.append((turns, add_generation_prompt))
        return "<image> <image> Q: {question} A:"

    template = make("llava", chat_template="...", apply_chat_template=render)
    assert template.text("images", 2) == "<image> <image> Q: {question} A:"
    content = [{"type": "image"}, {"type": "image"}, {"type": "text", "text": "{question}"}]
    assert seen == [([{"role": "user", "content": content}], True)]


def test_a_chat_template_for_text_only() -> None:
    template = make("new", chat_template="...", apply_chat_template=lambda *_, **__: "{question}")
    with pytest.raises(MLLMError, match=r"`prompt_template` must place '<image>'.*found 0"):
        template.text("images", 1)


def test_an_unknown_family_without_a_chat_template() -> None:
    assert family_of("new") == Family()
    assert "new" not in FAMILIES
    with pytest.raises(MLLMError, match="`prompt_template` must be given for a model without"):
        make("new").text("images", 1)
    assert make("new", "<image> {question}").text("images", 1) == "<image> {question}"
