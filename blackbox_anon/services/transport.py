"""Bytes to a service and back, through OpenAI's client library."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blackbox_anon.mllms.answers import Failure
from blackbox_anon.services.secret import ApiKey

if TYPE_CHECKING:
    from openai import APIConnectionError, AsyncOpenAI

_CONNECT_S = 10.0
_NOT_SENT = ("ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol")


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came back.

    Attributes:
        status: HTTP status.
        headers: Its headers.
        body: The bytes.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Sends each body once, as it is. To be used within one event loop.

    The library's own retries are off, as each would be a billed call that no ledger knows of, and
    redirects are not followed, as frames would go where nobody sent them.

    Args:
        base_url: Where ``/chat/completions`` is appended.
        key: The key; ``None`` for a server that wants none.
        timeout_s: Most time from sending to the end of the reply, in seconds.
    """

    def __init__(self, base_url: str, key: ApiKey | None, *, timeout_s: float) -> None:
        self._client = _client(base_url, key, timeout_s)
        self._timeout_s = timeout_s

    async def post(self, body: bytes) -> Reply | Failure:
        """Send one request.

        Returns:
            The reply, of whatever status, or why there was none.
        """
        from openai import APIConnectionError, APIStatusError

        try:
            async with asyncio.timeout(self._timeout_s):  # the library's own is per packet
                return await self._post(body)
        except APIStatusError as error:
            response = error.response
            return Reply(
                status=response.status_code, headers=dict(response.headers), body=response.content
            )
        except APIConnectionError as error:
            return _not_answered(error)
        except TimeoutError:
            message = f"no complete reply within {self._timeout_s:g} s"
            return Failure(kind="timeout", message=message, outcome_known=False)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _post(self, body: bytes) -> Reply:
        from openai import AsyncAPIResponse

        raw = await self._client.post(
            "/chat/completions",
            cast_to=AsyncAPIResponse[object],  # as it came, not parsed
            content=body,
            options={"follow_redirects": False},
        )
        return Reply(status=raw.status_code, headers=dict(raw.headers), body=await raw.read())


def _client(base_url: str, key: ApiKey | None, timeout_s: float) -> "AsyncOpenAI":
    from openai import AsyncOpenAI, Timeout

    logging.getLogger("openai._base_client").addFilter(_above_debug)
    return AsyncOpenAI(
        api_key="none" if key is None else key.value(),
        base_url=base_url,
        max_retries=0,
        timeout=Timeout(timeout_s, connect=min(timeout_s, _CONNECT_S)),
    )


def _above_debug(record: logging.LogRecord) -> bool:
    """Whether a record may be written: 2.x releases of the library log requests at DEBUG."""
    return record.levelno > logging.DEBUG


def _not_answered(error: "APIConnectionError") -> Failure:
    from openai import APITimeoutError

    cause = error.__cause__ or error
    return Failure(
        kind="timeout" if isinstance(error, APITimeoutError) else "server_error",
        message=f"no reply: {type(cause).__name__}: {cause!s:.300}",
        outcome_known=type(cause).__name__ in _NOT_SENT,
    )
