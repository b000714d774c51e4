"""Connections and limits of a client: they belong to one event loop."""

import asyncio
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, final
from weakref import finalize

from blackbox_anon.mllms.asynchronous import event_loop
from blackbox_anon.services.limiter import AdaptiveLimiter
from blackbox_anon.services.secret import ApiKey
from blackbox_anon.services.transport import Transport

_AHEAD = 16


@final
@dataclass(frozen=True, kw_only=True)
class Line:
    """What belongs to one event loop.

    Attributes:
        loop: The loop.
        transport: The connections.
        limiter: How many requests are in flight, and how many are sent per second.
        ahead: How many requests are written before their turn: enough to be ready in time, and so
            few that those in flight are not kept from the processor.
    """

    loop: asyncio.AbstractEventLoop
    transport: Transport
    limiter: AdaptiveLimiter
    ahead: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AHEAD))


@final
class Lines:
    """Opens a line at the first use in a loop, and closes it with its owner.

    Args:
        base_url: Where ``/chat/completions`` is appended.
        key: The key; ``None`` for a server that wants none.
        timeout_s: Most time from sending to the end of the reply, in seconds.
        start: Requests in flight at first.
        maximum: Most requests in flight.

    Raises:
        ValueError: If ``start`` is not from 1 to ``maximum``.
    """

    def __init__(
        self, base_url: str, key: ApiKey | None, *, timeout_s: float, start: int, maximum: int
    ) -> None:
        AdaptiveLimiter(start=start, maximum=maximum)  # its checks
        self._base_url, self._key, self._timeout_s = base_url, key, timeout_s
        self._start, self._maximum = start, maximum
        self._line: Line | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_line": None}

    def line(self) -> Line:
        """Return the running loop's line."""
        loop = asyncio.get_running_loop()
        if self._line is None or self._line.loop is not loop:
            self._line = Line(
                loop=loop,
                transport=Transport(self._base_url, self._key, timeout_s=self._timeout_s),
                limiter=AdaptiveLimiter(start=self._start, maximum=self._maximum),
            )
            if loop is event_loop():  # others may be closed by then
                finalize(self, _hang_up, self._line).atexit = False
        return self._line

    def figures(self) -> dict[str, float]:
        """Return what is worth drawing."""
        return {} if self._line is None else self._line.limiter.figures()

    def close(self) -> None:
        """Close the connections; the next use opens them again."""
        line, self._line = self._line, None
        if line is not None and line.loop is event_loop():
            _hang_up(line).result()


def _hang_up(line: Line) -> "Future[None]":
    return asyncio.run_coroutine_threadsafe(line.transport.close(), line.loop)
