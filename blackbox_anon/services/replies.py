"""A chat completion, read with distrust."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blackbox_anon.errors import MLLMError
from blackbox_anon.mllms.answers import Answer, Failure, FailureKind, Response, Usage
from blackbox_anon.services.choices import chosen, unwrapped
from blackbox_anon.services.errors import error_in
from blackbox_anon.services.families import ChoiceField
from blackbox_anon.services.first_token import first_token_logprobs

_SNAPSHOT = re.compile(r"[-@:](?:\d[\d-]*|latest)")


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a reply must be.

    Attributes:
        models: Names under which the model may answer.
        choices: What it may answer; ``None``: anything.
        choice_field: The field that told it so.
    """

    models: Sequence[str]
    choices: Sequence[str] | None
    choice_field: ChoiceField


def read_reply(body: bytes, expected: Expected) -> Answer | MLLMError:
    """Return the answer of a reply that came with status 200, or the error to raise.

    A reply counts as malformed if it is no JSON, has not exactly one choice, names another model
    or has no text. A dated snapshot of the model is no other model.

    Args:
        body: The reply.
        expected: What it must be.

    Example:
        >>> body = b'{"model": "m-2026-01-01", "choices": [{"message": {"content": "Run."}}]}'
        >>> expected = Expected(models=["m"], choices=["run"], choice_field="regex")
        >>> read_reply(body, expected)
        Response(text='run', top_logprobs=None, usage=None)
    """
    try:
        reply = json.loads(body)
    except ValueError:
        return Failure(kind="malformed", message=f"no JSON: {body[:80]!r}", outcome_known=False)
    if not isinstance(reply, dict):
        return Failure(kind="malformed", message=f"no JSON object: {body[:80]!r}")
    error = error_in(reply)
    if error is not None:
        return error
    return _completion(reply, expected)


def same_model(asked: str, named: str) -> bool:
    """Tell whether a reply's model is the one asked for, or a dated snapshot of it.

    Example:
        >>> same_model("gpt-4o", "gpt-4o-2024-08-06"), same_model("gpt-4o", "gpt-4o-mini")
        (True, False)
    """
    one, other = (name.rsplit("/", 1)[-1].lower() for name in (asked, named))
    short, long = sorted((one, other), key=len)
    rest = long.removeprefix(short)
    return one == other or (long.startswith(short) and _SNAPSHOT.fullmatch(rest) is not None)


def _completion(reply: Mapping[str, Any], expected: Expected) -> Answer:
    usage = _usage(reply.get("usage"))

    def failure(kind: FailureKind, message: str) -> Failure:
        return Failure(kind=kind, message=message, usage=usage)

    named = reply.get("model")
    if isinstance(named, str) and not any(same_model(model, named) for model in expected.models):
        return failure("malformed", f"{named!r:.80} answered, not {expected.models[0]!r}")
    choices = reply.get("choices")
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], dict):
        count = len(choices) if isinstance(choices, list) else 0
        return failure("malformed", f"one choice was expected; found {count}")
    choice = choices[0]
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    if message.get("refusal"):
        return failure("refusal", f"the model declined: {message['refusal']!s:.200}")
    if choice.get("finish_reason") == "content_filter":
        return failure("refusal", "the service's filter withheld the answer")
    content = _text(message.get("content"))
    cut = " (the limit of tokens was reached)" if choice.get("finish_reason") == "length" else ""
    if not content:
        return failure("malformed", f"no text{cut}")
    if expected.choices is None:
        return Response(text=content, top_logprobs=_logprobs(choice, content), usage=usage)
    answer = unwrapped(content, expected.choice_field)
    if not answer:
        return failure("malformed", f"no answer in {content!r:.80}{cut}")
    text = chosen(answer, expected.choices)
    if text is None:
        return failure("wrong_class", f"{answer!r:.80} is none of the {len(expected.choices)}")
    return Response(text=text, top_logprobs=_logprobs(choice, answer), usage=usage)


def _text(content: object) -> str:
    if isinstance(content, list):  # parts, as some servers send
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content.strip() if isinstance(content, str) else ""


def _logprobs(choice: Mapping[str, Any], answer: str) -> dict[str, float] | None:
    logprobs = choice.get("logprobs")
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    return first_token_logprobs(content, answer) if isinstance(content, list) else None


def _usage(found: object) -> Usage | None:
    if not isinstance(found, dict):
        return None
    asked, told = found.get("prompt_tokens"), found.get("completion_tokens")
    if not isinstance(asked, int) or not isinstance(told, int | None):
        return None
    return Usage(input_tokens=asked, output_tokens=told or 0)
