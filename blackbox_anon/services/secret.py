"""A key that is used, and never shown."""

import os
import re
from typing import final

from typing_extensions import override

from blackbox_anon.errors import MLLMError

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LIKE_A_KEY = re.compile(
    r"(?:sk|pk|rk|hf|gsk|xai|key|AIza)[-_]"  # how services' keys begin
    r"|.{41,}|[^_]{24,}"
    r"|(?=.*[a-z])(?=.*\d).{12,}"  # names are written in capitals
)
_IMAGES = re.compile(r"data:image/[^\s\"']*")
_KEYS = re.compile(r"\b(?:sk|pk|gsk|xai|hf)[-_][\w*.-]{4,}|(?i:bearer)\s+[^\s\"',}]+")
_SHORTEST = 4  # hides "EMPTY" of local servers, and leaves messages readable
_RUN = 8  # a part of the key that gives too much away


@final
class ApiKey:
    """The key of a service, known by the name of its environment variable.

    The value is read at the first use, so that objects, configs and checkpoints are made without
    it. It is no attribute: neither ``repr`` nor ``vars`` show it, and a pickle holds the name only.

    Args:
        variable: Name of the environment variable.

    Raises:
        ValueError: If ``variable`` is no such name, or looks like a key; the text is not repeated.

    Example:
        >>> ApiKey("OPENAI_API_KEY")
        ApiKey('OPENAI_API_KEY')
    """

    __slots__ = ("_value", "variable")

    def __init__(self, variable: str) -> None:
        if not _VARIABLE.fullmatch(variable) or _LIKE_A_KEY.match(variable):
            msg = (
                "`api_key_env` must be the name of an environment variable, such as "
                f"OPENAI_API_KEY; found {len(variable)} characters that could be a key itself "
                "(not shown). If it is one, replace it at the service: it may stand in a file"
            )
            raise ValueError(msg)
        self.variable = variable
        self._value: str | None = None

    def value(self) -> str:
        """Return the key.

        Raises:
            MLLMError: If the variable is not set, empty, or holds what no key has.
        """
        if self._value is None:
            self._value = os.environ.get(self.variable, "").strip() or None
        if self._value is None:
            msg = (
                f"the environment variable {self.variable} must hold the service's key "
                "(`api_key_env` names it; null for a server that wants none); found nothing"
            )
            raise MLLMError(msg, billed=False)
        if not re.fullmatch(r"[!-~]+", self._value):  # an HTTP library would show it in its error
            msg = f"the key in {self.variable} must be printable ASCII without spaces; found others"
            raise MLLMError(msg, billed=False)
        return self._value

    def scrub(self, text: str) -> str:
        """Replace the key, its longer parts, and whatever looks like a key.

        Example:
            >>> ApiKey("OPENAI_API_KEY").scrub("Incorrect API key provided: sk-abcd********wxyz.")
            'Incorrect API key provided: ***'
        """
        return scrub(text, self._value)

    @override
    def __repr__(self) -> str:
        return f"ApiKey({self.variable!r})"

    @override
    def __reduce__(self) -> tuple[type["ApiKey"], tuple[str]]:
        return ApiKey, (self.variable,)


def scrub(text: str, key: str | None = None) -> str:
    """Replace a key, its parts of 8 characters or more, whatever looks like a key, and images.

    Services repeat parts of a key or of an image they refuse. A key of less than 4 characters is
    left alone.
    """
    text = _IMAGES.sub("data:image/***", text)
    if key is not None and len(key) >= _SHORTEST:
        text = text.replace(key, "***")
        runs = {key[i : i + _RUN] for i in range(len(key) - _RUN + 1)}
        text = re.sub(r"\S+", lambda word: _without(word.group(), runs), text)
    return _KEYS.sub("***", text)


def _without(word: str, runs: set[str]) -> str:
    return "***" if any(run in word for run in runs) else word
