"""A token bucket: how many requests are let in, and how many could have been."""

import time
from collections.abc import Callable


class TokenBucket:
    """Admits ``rate_per_s`` requests a second on average, and ``burst`` at once.

    Refused requests take nothing from the bucket.

    Args:
        rate_per_s: Requests per second; positive.
        burst: What the full bucket holds; at least 1.
        clock: Seconds that only go forward.

    Example:
        >>> now = [0.0]
        >>> bucket = TokenBucket(2.0, burst=1, clock=lambda: now[0])
        >>> bucket.take(), bucket.take()
        (0.0, 0.5)
    """

    def __init__(
        self, rate_per_s: float, *, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.rate_per_s, self.burst, self._clock = rate_per_s, burst, clock
        self._tokens = float(burst)
        self._first: float | None = None
        self._last = 0.0
        self.admitted = 0

    @property
    def allowed(self) -> float:
        """Requests that could have been admitted from the first to the last one seen."""
        if self._first is None:
            return 0.0
        return self.burst + self.rate_per_s * (self._last - self._first)

    def take(self) -> float:
        """Admit a request and return 0, or return after how many seconds one would be admitted."""
        now = self._clock()
        if self._first is None:
            self._first = self._last = now
        self._tokens = min(self.burst, self._tokens + (now - self._last) * self.rate_per_s)
        self._last = now
        if self._tokens < 1 - 1e-9:  # a wait of exactly the told length must suffice
            return (1 - self._tokens) / self.rate_per_s
        self._tokens -= 1
        self.admitted += 1
        return 0.0
