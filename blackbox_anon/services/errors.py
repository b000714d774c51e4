"""What a service's error means: a failure of one call, or the end of the run."""

from collections.abc import Mapping
from typing import Any

from blackbox_anon.errors import MLLMError
from blackbox_anon.mllms.answers import Failure, FailureKind

_REFUSALS = ("content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation")
_STOP_CODES = ("insufficient_quota", "billing_hard_limit_reached", "account_deactivated")
_STOP: Mapping[int, str] = {
    400: "the request is refused",
    401: "the key is refused",
    402: "the account has no money left",
    403: "the key may not do this",
    404: "the model or the address does not exist",
    405: "the address takes no such request",
    413: "the request is too large",
    415: "the address takes no JSON",
    422: "the request is refused",
}
_GATEWAY = (502, 504, *range(520, 528))  # what is behind may have done the work


def error_failure(
    status: int, body: object, *, retry_after_s: float | None = None
) -> Failure | MLLMError:
    """Judge an error.

    Args:
        status: HTTP status, or the error's own where it came with status 200.
        body: The reply: decoded JSON, or its text.
        retry_after_s: How long the service asked to wait, in seconds.

    Returns:
        The failure of this call, or the error to raise: nothing would be different next time.

    Example:
        >>> error_failure(429, {"error": {"message": "slow down"}}, retry_after_s=2).kind
        'rate_limit'
        >>> error_failure(401, {"error": {"message": "no"}})
        MLLMError('the key is refused (HTTP 401): no')
    """
    error = _error(body)
    code, message = str(error.get("code") or ""), _message(error, body)
    if code in _REFUSALS:
        return Failure(kind="refusal", message=f"{code}: {message}")
    if code in _STOP_CODES:
        return MLLMError(f"{_STOP[402]} (HTTP {status}, {code}): {message}", billed=False)
    if status in _STOP or 300 <= status < 400:
        reason = _STOP.get(status, "the address redirects, which frames do not follow")
        return MLLMError(f"{reason} (HTTP {status}): {message}", billed=False)
    return Failure(
        kind=_kind(status),
        message=f"HTTP {status}: {message}",
        outcome_known=status not in _GATEWAY and status != 408,
        retry_after_s=retry_after_s,
    )


def error_in(reply: Mapping[str, Any]) -> Failure | MLLMError | None:
    """Judge an error that came with status 200; ``None`` if there is none.

    Example:
        >>> error_in({"error": {"message": "overloaded", "code": 529}}).kind
        'server_error'
    """
    error = reply.get("error")
    if not error:
        return None
    code = error.get("code") if isinstance(error, Mapping) else None
    if code in ("rate_limit_exceeded", "rate_limit_error"):
        return error_failure(429, reply)
    if code in ("invalid_api_key", "model_not_found"):
        return error_failure(401 if code == "invalid_api_key" else 404, reply)
    known = isinstance(code, int) and not isinstance(code, bool) and 300 <= code < 600
    return error_failure(int(str(code)) if known else 500, reply)


def _kind(status: int) -> FailureKind:
    if status == 429:
        return "rate_limit"
    return "timeout" if status == 408 else "server_error"


def _error(body: object) -> Mapping[str, Any]:
    """The error's own object: some servers put it at the top."""
    if not isinstance(body, Mapping):
        return {}
    error = body.get("error")
    if isinstance(error, Mapping):
        return error
    return {"message": error} if isinstance(error, str) else body


def _message(error: Mapping[str, Any], body: object) -> str:
    message = error.get("message") or error.get("detail") or body or "no reason given"
    return " ".join(str(message).split())[:500]
