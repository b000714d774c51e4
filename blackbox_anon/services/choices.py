"""Answers out of a list: how each kind of service is told, and how its reply is read."""

import json
import re
from collections import Counter
from collections.abc import Sequence

from blackbox_anon.services.families import ChoiceField

_PROPERTY = "answer"
_MOST = 1000  # enum values of one OpenAI schema
_SPECIAL = re.compile(r"([\\.^$*+?{}\[\]|()])")


def check_choices(choices: Sequence[str]) -> None:
    """Refuse a list that no service could honour.

    Raises:
        ValueError: If it has fewer than 2 or more than 1000 choices, an empty or padded one, or two
            that differ in case only.
    """
    if not 2 <= len(choices) <= _MOST:
        msg = f"`choices` must hold 2 to {_MOST} texts; found {len(choices)}"
        raise ValueError(msg)
    counts = Counter(text.casefold() for text in choices)
    odd = [
        text for text in choices if not text or text != text.strip() or counts[text.casefold()] > 1
    ]
    if odd:
        msg = f"`choices` must be different texts without space around them; found {odd[0]!r}"
        raise ValueError(msg)


def offered_choices(choices: Sequence[str]) -> Sequence[str]:
    """Return what a task offers, if a service could honour it.

    Raises:
        ValueError: As :func:`check_choices`; an empty list is none.
    """
    try:
        if choices:
            check_choices(choices)
    except ValueError as error:
        msg = f"the task's classes: {error}; give `choices: []` to take any answer"
        raise ValueError(msg) from error
    return choices


def conflict(given: Sequence[str], offered: Sequence[str]) -> str | None:
    """Tell how choices of one's own differ from what a task offers; ``None`` if they do not.

    Order and case do not matter, and an empty list is no choice but the wish for any answer.

    Example:
        >>> conflict(["Run", "walk"], ["walk", "run"])
        >>> conflict(["run", "sit"], ["walk", "run"])
        "1 is no class of the task ('sit'), 1 of its classes is missing ('walk')"
    """
    if not given or not offered:
        return None
    ours, theirs = {text.casefold() for text in given}, {text.casefold() for text in offered}
    more = [text for text in given if text.casefold() not in theirs]
    missing = [text for text in offered if text.casefold() not in ours]
    told = []
    if more:
        told.append(f"{len(more)} {_be(more)} no class of the task ({more[0]!r})")
    if missing:
        told.append(f"{len(missing)} of its classes {_be(missing)} missing ({missing[0]!r})")
    return ", ".join(told) or None


def choice_fields(choices: Sequence[str], field: ChoiceField) -> dict[str, object]:
    r"""Return the fields of the request that constrain the answer.

    Example:
        >>> choice_fields(["walk", "run"], "structured_outputs")
        {'structured_outputs': {'choice': ['walk', 'run']}}
        >>> choice_fields(["sit (down)", "run"], "regex")
        {'regex': '(sit \\(down\\)|run)'}

    Reference:
        OpenAI's structured outputs; vLLM's ``structured_outputs`` (0.12 and later); SGLang's
        ``regex`` of the chat endpoint. OpenAI wants an object as the schema's root.
    """
    if field == "structured_outputs":
        return {"structured_outputs": {"choice": list(choices)}}
    if field == "regex":  # re.escape would escape spaces, which grammars refuse
        return {"regex": "(" + "|".join(_SPECIAL.sub(r"\\\1", text) for text in choices) + ")"}
    schema = {
        "type": "object",
        "properties": {_PROPERTY: {"type": "string", "enum": list(choices)}},
        "required": [_PROPERTY],
        "additionalProperties": False,
    }
    named = {"name": _PROPERTY, "strict": True, "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def unwrapped(content: str, field: ChoiceField) -> str | None:
    """Return the answer of a reply's text; ``None`` if it is JSON that is cut or of another form.

    A server that ignored the schema sends bare text, which is taken as it is.

    Example:
        >>> unwrapped('{"answer": "run"}', "json_schema"), unwrapped("run", "json_schema")
        ('run', 'run')
    """
    content = content.strip()
    if field != "json_schema" or not content.startswith(("{", '"')):
        return content
    try:
        found = json.loads(content)
    except ValueError:
        return None
    if isinstance(found, dict):
        found = found.get(_PROPERTY)
    return found.strip() if isinstance(found, str) else None


def chosen(text: str, choices: Sequence[str]) -> str | None:
    """Return the choice that a text names, whatever its case and final full stop; else ``None``.

    Example:
        >>> chosen("Run.", ["walk", "run"]), chosen("running", ["walk", "run"])
        ('run', None)
    """
    by_text = {choice.casefold(): choice for choice in choices}
    folded = text.strip().casefold()
    return by_text.get(folded) or by_text.get(folded.removesuffix("."))


def _be(found: Sequence[str]) -> str:
    return "is" if len(found) == 1 else "are"
