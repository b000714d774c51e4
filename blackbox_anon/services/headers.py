"""What the headers of a reply say about when to ask again."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|d|h|m|s)")
_UNITS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, kw_only=True)
class RequestLimit:
    """How many requests a service takes.

    Attributes:
        limit: Most requests of a full allowance.
        reset_s: Seconds until the allowance is full again.
    """

    limit: int
    reset_s: float


def retry_after_s(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Return how long a service asks to wait, in seconds; ``None`` if it does not say.

    Read are ``retry-after-ms`` and ``Retry-After`` as seconds or as a date, in this order.

    Args:
        headers: Headers of the reply, found whatever their case.
        now: Seconds since 1970, for dates; ``None``: the clock's.

    Example:
        >>> retry_after_s({"retry-after-ms": "250", "Retry-After": "1"})
        0.25
        >>> retry_after_s({"Retry-After": "Thu, 01 Jan 1970 00:01:00 GMT"}, now=45)
        15.0

    Reference:
        RFC 9110, section 10.2.3; the millisecond header is OpenAI's and Azure's.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    milliseconds = _number(lower.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    given = lower.get("retry-after")
    seconds = _number(given)
    return seconds if seconds is not None or given is None else _until(given, now)


def request_limit(headers: Mapping[str, str]) -> RequestLimit | None:
    """Read ``x-ratelimit-limit-requests`` and ``x-ratelimit-reset-requests``.

    Example:
        >>> request_limit(
        ...     {"x-ratelimit-limit-requests": "500", "x-ratelimit-reset-requests": "1m0.5s"}
        ... )
        RequestLimit(limit=500, reset_s=60.5)
    """
    lower = {name.lower(): value for name, value in headers.items()}
    limit = _number(lower.get("x-ratelimit-limit-requests"))
    reset = duration_s(lower.get("x-ratelimit-reset-requests", ""))
    if not limit or reset is None:
        return None
    return RequestLimit(limit=int(limit), reset_s=reset)


def duration_s(text: str) -> float | None:
    """Read a duration such as ``"6m0s"``, ``"20ms"`` or ``"1.5"`` (seconds); else ``None``.

    Example:
        >>> duration_s("6m0s"), duration_s("20ms"), duration_s("soon")
        (360.0, 0.02, None)
    """
    text = text.strip()
    if not text or _DURATION.sub("", text):
        return _number(text)
    return sum(float(value) * _UNITS[unit] for value, unit in _DURATION.findall(text))


def _number(text: str | None) -> float | None:
    """A number that is finite and not negative."""
    if text is None or not re.fullmatch(r"\s*\d+(?:\.\d*)?\s*", text):
        return None
    return float(text)


def _until(date: str, now: float | None) -> float | None:
    try:
        when = parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
    return max(0.0, when - (time.time() if now is None else now))
