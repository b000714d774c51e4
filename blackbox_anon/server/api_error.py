"""Errors in the shape that OpenAI's clients expect."""

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """A request that is refused or failed; becomes the reply.

    Args:
        message: What to tell the user; holds no key and no image.
        status: HTTP status.
        kind: OpenAI's ``type``.
        code: OpenAI's ``code``.
        param: The request's field at fault.
        headers: Further headers of the reply.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.status, self.kind = message, status, kind
        self.code, self.param = code, param
        self.headers = dict(headers or {})

    @property
    def body(self) -> dict[str, Any]:
        """The reply's JSON."""
        return {
            "error": {
                "message": self.message,
                "type": self.kind,
                "param": self.param,
                "code": self.code,
            }
        }


def wrong(param: str, expected: str, found: object) -> ApiError:
    """A field that does not hold what it must; long values are cut."""
    return ApiError(f"`{param}` must be {expected}; found {found!r:.80}", param=param)


def rate_limited(message: str, retry_after_s: float | None) -> ApiError:
    """429, with or without a time to wait.

    ``Retry-After`` holds whole seconds (RFC 9110), rounded up; ``retry-after-ms`` the exact time,
    as OpenAI's clients read it first.
    """
    headers = {}
    if retry_after_s is not None:
        headers = {
            "Retry-After": str(-int(-retry_after_s // 1)),
            "retry-after-ms": f"{retry_after_s * 1000:.0f}",
        }
    return ApiError(
        message, status=429, kind="requests", code="rate_limit_exceeded", headers=headers
    )


def server_error(message: str) -> ApiError:
    """500."""
    return ApiError(message, status=500, kind="server_error")
