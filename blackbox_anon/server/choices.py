"""Structured output: an answer out of a list."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from blackbox_anon.server.api_error import ApiError, wrong

Structured = Literal["openai", "vllm", "sglang", "ollama", "none"]
_ESCAPED = re.compile(r"\\(.)")
_ALTERNATIVE = re.compile(r"(?:[^\\.^$*+?{}\[\]|()]|\\[^a-zA-Z0-9])+")
_ALTERNATIVES = re.compile(rf"{_ALTERNATIVE.pattern}(?:\|{_ALTERNATIVE.pattern})*")
_MOST_ENUM_VALUES = 1000  # OpenAI's limit over a whole schema


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What may be answered, and the JSON around it.

    Attributes:
        texts: The choices.
        before: What stands before the choice in the reply's text: opens the JSON, or is empty.
        after: What closes it.
    """

    texts: tuple[str, ...]
    before: str = ""
    after: str = ""

    def content(self, choice: str) -> str:
        """Return the reply's text.

        Example:
            >>> Choices(texts=("run",), before='{"answer": "', after='"}').content("run")
            '{"answer": "run"}'
        """
        return self.before + (json.dumps(choice)[1:-1] if self.before else choice) + self.after

    def likeliest(self, logprobs: Mapping[str, float]) -> tuple[str, str | None]:
        """Choose by the likelihood of the first answer token.

        A choice's first token is the longest reported one that it starts with. Of choices that
        share it, and where none was reported, the first in the list is taken.

        Args:
            logprobs: Log-probabilities (nats) of first tokens by their text.

        Returns:
            The choice and its first token, ``None`` if that was not reported.

        Example:
            >>> Choices(texts=("walk", "pick up")).likeliest({"run": -0.1, "pick": -2, "walk": -3})
            ('pick up', 'pick')
        """
        first = {text: _first_token(text, logprobs) for text in self.texts}
        found = [(text, token) for text, token in first.items() if token is not None]
        if not found:
            return self.texts[0], None
        return max(found, key=lambda pair: logprobs[pair[1]])


def requested_choices(body: Mapping[str, Any], structured: Structured) -> Choices | None:
    """Read the choices from the field that this kind of service honours.

    Args:
        body: The request.
        structured: ``openai``: ``response_format`` with a JSON schema whose root is an object of
            one ``enum``; ``ollama``: the same, or with a bare ``enum``; ``vllm``: as ``ollama``,
            and ``structured_outputs: {"choice": [...]}``; ``sglang``: as ``ollama``, and a
            ``regex`` of plain alternatives, ``(walk|run)``; ``none``: nothing. What a service does
            not honour is ignored, as such services do, and the answer is free text.

    Raises:
        ApiError: If the field is honoured but holds what the service would refuse.
    """
    if structured == "none":
        return None
    if structured == "vllm" and body.get("structured_outputs") is not None:
        return _from_vllm(body["structured_outputs"])
    if structured == "sglang" and body.get("regex") is not None:
        return _from_regex(body["regex"])
    format_ = body.get("response_format")
    if not isinstance(format_, dict) or format_.get("type") != "json_schema":
        return None
    named = format_.get("json_schema")
    schema = named.get("schema") if isinstance(named, dict) else None
    if not isinstance(schema, dict):
        raise wrong("response_format.json_schema", "an object with a `schema`", named)
    return _from_schema(schema, object_only=structured == "openai")


def _from_vllm(field: object) -> Choices | None:
    if not isinstance(field, dict):
        raise wrong("structured_outputs", "an object", field)
    if "choice" not in field:  # a misspelt key is ignored there too
        return None
    return Choices(texts=_texts(field["choice"], "structured_outputs.choice"))


def _from_regex(field: object) -> Choices:
    inner = field.removeprefix("(").removesuffix(")") if isinstance(field, str) else ""
    if field != f"({inner})" or not _ALTERNATIVES.fullmatch(inner):
        raise wrong("regex", "alternatives in parentheses, special characters escaped", field)
    texts = [_ESCAPED.sub(r"\1", text) for text in _ALTERNATIVE.findall(inner)]
    return Choices(texts=_texts(texts, "regex"))


def _from_schema(schema: Mapping[str, Any], *, object_only: bool) -> Choices:
    found = schema.get("type")
    if found == "object":
        properties = schema.get("properties")
        if not isinstance(properties, dict) or len(properties) != 1:
            raise wrong("response_format", "a schema with one property", properties)
        [(name, inner)] = properties.items()
        values = inner.get("enum") if isinstance(inner, dict) else None
        texts = _texts(values, "response_format")
        return Choices(texts=texts, before=json.dumps({name: ""})[:-2], after='"}')
    if object_only:
        name = f"schema must be a JSON Schema of 'type: \"object\"', got 'type: {found!r}'"
        raise ApiError(f"Invalid schema for response_format: {name}", param="response_format")
    return Choices(texts=_texts(schema.get("enum"), "response_format"), before='"', after='"')


def _texts(values: object, param: str) -> tuple[str, ...]:
    if (
        not isinstance(values, list)
        or not 1 <= len(values) <= _MOST_ENUM_VALUES
        or not all(isinstance(value, str) and value for value in values)
    ):
        raise wrong(param, f"a list of 1 to {_MOST_ENUM_VALUES} texts", values)
    return tuple(values)


def _first_token(text: str, logprobs: Mapping[str, float]) -> str | None:
    fitting = [token for token in logprobs if token and text.startswith(token)]
    return max(fitting, key=len, default=None)
