"""Keeps a service busy without running into its limits."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import final

from blackbox_anon.services.headers import request_limit
from blackbox_anon.services.pace import Pace

_CUT = 0.8
_SPARE = 1.25  # replies do not come evenly
_LATE_S = 0.02  # how late timers wake
_UNTOLD_S = 0.3  # what a refusal costs where the service does not say


@final
@dataclass(frozen=True, kw_only=True)
class Ticket:
    """Leave to send one request.

    Attributes:
        sent_at: When it was given.
        rate: Requests per second at that time, if they were paced.
    """

    sent_at: float
    rate: float | None


@final
class AdaptiveLimiter:
    """Bounds requests in flight and their pace, and learns both from the replies.

    In flight: from ``start``, one more per reply until the first refusal, then one more per round
    of replies, and only while the bound holds requests back; a fifth less after a refusal, once for
    all requests that were already sent then, but not less than the pace needs. A service that fails
    (5xx) is not asked less. After a refusal nothing is sent for as long as the service asks; then
    at the pace of :class:`Pace`. Waiting requests go in the order they came.

    Args:
        start: Requests in flight at first.
        maximum: Most requests in flight.
        clock: Seconds; ``None``: the running event loop's.

    Raises:
        ValueError: If ``start`` is not from 1 to ``maximum``.

    Reference:
        The rules for requests in flight are those of inspect_ai's adaptive concurrency; what a pace
        needs is Little's law.
    """

    def __init__(
        self, *, start: int = 20, maximum: int = 100, clock: Callable[[], float] | None = None
    ) -> None:
        if not 1 <= start <= maximum:
            msg = f"`start` must be from 1 to `maximum` ({maximum}); found {start}"
            raise ValueError(msg)
        self.maximum = maximum
        self.in_flight = 0
        self.pace = Pace()
        self._clock = clock
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self._bound, self._needed = float(start), 1.0
        self._latency_s = 0.0
        self._taken = self._refusals = 0
        self._began: float | None = None
        self._cut_at = -math.inf
        self._due = self._paused_until = -math.inf
        self._paused_s = 0.0

    @property
    def bound(self) -> int:
        """Most requests in flight now."""
        return min(self.maximum, int(max(self._bound, self._needed)))

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Ticket]:
        """Wait until a request may be sent; it counts as in flight until the context is left."""
        async with self.sent(await self.acquire()) as ticket:
            yield ticket

    @asynccontextmanager
    async def sent(self, ticket: Ticket) -> AsyncIterator[Ticket]:
        """Count an acquired request as in flight until the context is left."""
        try:
            yield ticket
        finally:
            self.in_flight -= 1
            self._changed.set()

    def succeed(self, ticket: Ticket, headers: Mapping[str, str] | None = None) -> None:
        """Learn that a request was taken.

        Args:
            ticket: Of the request.
            headers: Of the reply.
        """
        latency_s = self._now() - ticket.sent_at
        self._taken += 1
        self._latency_s += (latency_s - self._latency_s) * max(0.1, 1 / self._taken)
        if ticket.rate is not None:
            self._needed = 1 + _SPARE * ticket.rate * self._latency_s
        if self.in_flight >= self.bound:  # else the bound did not matter
            step = 1 / self._bound if self._refusals else 1.0
            self._bound = min(self._bound + step, float(self.maximum))
        told = request_limit(headers or {})
        if told is not None:
            self.pace.learn(told)

    def refuse(self, ticket: Ticket, wait_s: float | None) -> None:
        """Learn that a request was refused for its rate.

        Args:
            ticket: Of the request.
            wait_s: How long the service asked to wait, in seconds, if it did.
        """
        now = self._now()
        rate = ticket.rate or self._measured(now)
        self.pause(wait_s or 0.0)
        if wait_s:  # the refused request took no place
            self._due = min(self._due, self._paused_until)
        if ticket.sent_at <= self._cut_at:
            return  # sent before the last cut: no news
        self.pace.refuse(now, rate=rate, wait_s=wait_s or _UNTOLD_S)
        self._bound = max(1.0, _CUT * self._bound)
        self._cut_at = now
        self._refusals += 1

    def pause(self, wait_s: float) -> None:
        """Send nothing for as long as the service asks, in seconds."""
        now = self._now()
        until = max(self._paused_until, now + wait_s)
        self._paused_s += until - max(self._paused_until, now)
        self._paused_until = until

    def figures(self) -> dict[str, float]:
        """Return what is worth drawing."""
        return {
            "in_flight": float(self.in_flight),
            "in_flight_bound": float(self.bound),
            "rate_limit_cuts": float(self._refusals),
        }

    def _now(self) -> float:
        return asyncio.get_running_loop().time() if self._clock is None else self._clock()

    async def acquire(self) -> Ticket:
        """Wait until a request may be sent; it counts as in flight from then on."""
        async with self._turn:
            while (wait_s := self._wait_s(self._now())) > 0:
                self._changed.clear()
                await self._until_changed(wait_s)
            return self._admit(self._now())

    def _wait_s(self, now: float) -> float:
        """Seconds until the next request may go, infinite until one comes back."""
        if self.in_flight >= self.bound:
            return math.inf
        return max(self._due, self._paused_until) - now

    async def _until_changed(self, wait_s: float) -> None:
        try:
            await asyncio.wait_for(self._changed.wait(), None if wait_s == math.inf else wait_s)
        except TimeoutError:
            return

    def _admit(self, now: float) -> Ticket:
        rate = self.pace.rate(now)
        if rate is not None:  # a timer that woke late is made up for, time without demand is not
            due = max(self._due, self._paused_until, now - _LATE_S)
            self._due = due + 1 / rate
        self.in_flight += 1
        self._began = now if self._began is None else self._began
        return Ticket(sent_at=now, rate=rate)

    def _measured(self, now: float) -> float | None:
        """Requests taken per second, before anything is known about the pace.

        A bucket that refilled during pauses makes the rate of sending too high, one that did not
        makes the rate over all time too low; this is their geometric mean.
        """
        if self._began is None or not self._taken:
            return None
        all_s = now - self._began
        paused_s = self._paused_s - max(0.0, self._paused_until - now)
        return self._taken / math.sqrt(max(all_s, _LATE_S) * max(all_s - paused_s, _LATE_S))
