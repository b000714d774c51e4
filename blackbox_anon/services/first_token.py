"""Log-probabilities where the answer starts, which JSON or white space may precede."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

_LEAST = -9999.0  # what services write for "not among the likeliest"


def first_token_logprobs(content: Sequence[Any], answer: str) -> dict[str, float] | None:
    r"""Return the likeliest tokens, by their text, at the position where an answer starts.

    Where the reply's token there begins before the answer, as ``"run`` with its quotation mark,
    those that begin alike are told without that beginning, and the others are left out. Tokens
    whose texts differ in surrounding space only count as one.

    Args:
        content: The reply's ``logprobs.content``.
        answer: The text that is told to begin somewhere in the reply.

    Returns:
        Log-probabilities in nats; ``None`` if the reply has none there.

    Example:
        >>> tops = [{"token": '"r', "logprob": -0.1}, {"token": '"w', "logprob": -3.0}]
        >>> content = [{"token": '{"answer":'}, {"token": '"r', "top_logprobs": tops}]
        >>> first_token_logprobs(content, "run")
        {'r': -0.1, 'w': -3.0}
    """
    tokens = [entry for entry in content if isinstance(entry, Mapping)]
    texts = [str(entry.get("token", "")) for entry in tokens]
    position, before = _start(texts, answer)
    if position >= len(tokens):
        return None
    reported = tokens[position].get("top_logprobs")
    found: dict[str, float] = {}
    for text, logprob in _pairs(reported):
        key = text.removeprefix(before).strip()
        if text.startswith(before) and key and logprob > _LEAST:
            found[key] = _either(found[key], logprob) if key in found else logprob
    return found or None


def _start(texts: Sequence[str], answer: str) -> tuple[int, str]:
    """The token in which the answer starts, and what of that token comes before."""
    joined = "".join(texts)
    offset = max(0, joined.find(answer))
    if offset == 0 and not joined.startswith(
        answer
    ):  # cut, or bytes that are no text by themselves
        offset = _longest_beginning(joined, answer)
    for position, text in enumerate(texts):
        if offset < len(text):
            return position, text[:offset].lstrip()
        offset -= len(text)
    return len(texts), ""


def _longest_beginning(joined: str, answer: str) -> int:
    """Where the reply ends within the answer; its start if it does not."""
    for length in range(min(len(joined), len(answer)), 0, -1):
        if joined.endswith(answer[:length]):
            return len(joined) - length
    return 0


def _pairs(reported: object) -> list[tuple[str, float]]:
    if not isinstance(reported, list):
        return []
    return [
        (str(entry.get("token", "")), float(entry["logprob"]))
        for entry in reported
        if isinstance(entry, Mapping) and isinstance(entry.get("logprob"), int | float)
    ]


def _either(one: float, other: float) -> float:
    """Logarithm of a sum of probabilities."""
    return max(one, other) + math.log1p(math.exp(-abs(one - other)))
