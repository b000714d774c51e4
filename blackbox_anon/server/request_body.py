"""What a request asks: frames, a question, and how to answer."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from blackbox_anon.server.api_error import ApiError, wrong
from blackbox_anon.server.choices import Choices, Structured, requested_choices
from blackbox_anon.server.images import decode_image, stack_frames

MOST_TOP_LOGPROBS = 20  # OpenAI's limit, and vLLM's default
_ROLES = ("system", "developer", "user", "assistant")


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """One request, understood.

    Attributes:
        frames: uint8 ``(T, 3, H, W)``: the images in their order.
        question: The text parts, joined by newlines.
        choices: What may be answered; ``None``: anything.
        top_logprobs: How many likeliest first tokens to report; ``None``: no log-probabilities.
        max_tokens: Most tokens of the answer.
    """

    frames: Tensor
    question: str
    choices: Choices | None
    top_logprobs: int | None
    max_tokens: int | None


def parse_request(body: bytes, *, model: str, max_images: int, structured: Structured) -> Asked:
    """Read and check a chat completion request.

    Sampling settings (``temperature``, ``seed``, ...) are ignored: decoding is greedy. So is every
    field that is not known.

    Args:
        body: The JSON, as received.
        model: The name of the one model that is served.
        max_images: Most images of a request.
        structured: Which fields constrain the answer, see :func:`requested_choices`.

    Raises:
        ApiError: If OpenAI would refuse it, or this service cannot answer it.
    """
    fields = _fields(body)
    if fields.get("model") != model:
        name = fields.get("model")
        raise ApiError(
            f"The model {name!r:.80} does not exist; this service has {model!r}",
            status=404,
            code="model_not_found",
            param="model",
        )
    if fields.get("stream"):
        raise wrong("stream", "false: this service answers in one piece", True)
    if fields.get("n", 1) != 1:
        raise wrong("n", "1", fields["n"])
    top_logprobs, max_tokens = _top_logprobs(fields), _max_tokens(fields)
    choices = requested_choices(fields, structured)
    texts, urls = _parts(fields.get("messages"))
    if not 1 <= len(urls) <= max_images:
        raise wrong("messages", f"1 to {max_images} images", len(urls))
    if not texts:
        raise wrong("messages", "messages with a text part: the question", len(texts))
    return Asked(
        frames=stack_frames([decode_image(url) for url in urls]),
        question="\n".join(texts),
        choices=choices,
        top_logprobs=top_logprobs,
        max_tokens=max_tokens,
    )


def _fields(body: bytes) -> Mapping[str, Any]:
    try:
        fields = json.loads(body)
    except ValueError as error:
        raise wrong("body", "JSON", str(error)) from error
    if not isinstance(fields, dict):
        raise wrong("body", "a JSON object", type(fields).__name__)
    return fields


def _top_logprobs(fields: Mapping[str, Any]) -> int | None:
    count = fields.get("top_logprobs")
    if count is not None and not _is_count(count, 0, MOST_TOP_LOGPROBS):
        raise wrong("top_logprobs", f"0 to {MOST_TOP_LOGPROBS}", count)
    if count is not None and not fields.get("logprobs"):
        raise wrong("logprobs", "true where `top_logprobs` is given", fields.get("logprobs"))
    return (count or 0) if fields.get("logprobs") else None


def _max_tokens(fields: Mapping[str, Any]) -> int | None:
    given = [name for name in ("max_tokens", "max_completion_tokens") if fields.get(name)]
    if len(given) == 2:
        raise wrong("max_tokens", "absent where `max_completion_tokens` is given", given)
    for name in ("max_tokens", "max_completion_tokens"):
        value = fields.get(name)
        if value is None:
            continue
        if not _is_count(value, 1, None):
            raise wrong(name, "at least 1", value)
        return int(value)
    return None


def _is_count(value: object, least: int, most: int | None) -> bool:
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    return value >= least and (most is None or value <= most)


def _parts(messages: object) -> tuple[list[str], list[object]]:
    """Texts and image URIs of all messages, in order."""
    if not isinstance(messages, list) or not messages:
        raise wrong("messages", "a list of messages", messages)
    texts: list[str] = []
    urls: list[object] = []
    for part in (part for message in messages for part in _content(message)):
        if part.get("type") == "text" and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif part.get("type") == "image_url" and isinstance(part.get("image_url"), dict):
            urls.append(part["image_url"].get("url"))
        else:
            raise wrong("messages", "parts of type text or image_url", part.get("type"))
    return texts, urls


def _content(message: object) -> Iterator[Mapping[str, Any]]:
    if not isinstance(message, dict) or message.get("role") not in _ROLES:
        raise wrong("messages", f"messages with a role of {', '.join(_ROLES)}", message)
    content = message.get("content")
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise wrong("messages", "messages with a text or a list of parts as content", content)
    yield from content
