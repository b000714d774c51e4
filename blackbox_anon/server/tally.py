"""Sums over the journal's entries."""

from collections import Counter
from collections.abc import Iterable
from typing import TypedDict

from blackbox_anon.server.journal import Entry
from blackbox_anon.server.rate_limit import TokenBucket


class RateStats(TypedDict):
    """What a rate limit allowed, since the server's start."""

    per_s: float
    burst: int
    allowed: float
    admitted: int


class Stats(TypedDict):
    """What a server did; with a journal, also before it was last started.

    ``refused`` counts by error code what was turned away at the door, ``faults`` what was injected,
    by kind. ``answered`` were sent a sound reply. ``paid`` were answered by the model,
    ``distinct_paid`` of them had different bodies, ``duplicates`` is the difference: paid again for
    what had been paid for. The tokens are those of all paid requests. ``peak_in_flight`` and
    ``batches`` (how many of which size) count from the start of the server.
    """

    received: int
    refused: dict[str, int]
    answered: int
    faults: dict[str, int]
    paid: int
    distinct_paid: int
    duplicates: int
    prompt_tokens: int
    completion_tokens: int
    in_flight: int
    peak_in_flight: int
    batches: dict[str, int]
    rate: RateStats | None


class Tally:
    """Running sums.

    Args:
        earlier: Entries of earlier runs.
    """

    def __init__(self, earlier: Iterable[Entry] = ()) -> None:
        self._sums: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._faults: Counter[str] = Counter()
        self._paid: set[str] = set()
        self._attempts: Counter[str] = Counter()
        self._in_flight = self._peak = 0
        for entry in earlier:
            if entry.attempt is not None:
                self._attempts[entry.sha256] += 1
            self.add(entry)

    def enter(self) -> None:
        """A request came in."""
        self._in_flight += 1
        self._peak = max(self._peak, self._in_flight)

    def leave(self) -> None:
        """Its reply has left."""
        self._in_flight -= 1

    def next_attempt(self, body_hash: str) -> int:
        """Return how often this body was admitted before, and count this time."""
        attempt = self._attempts[body_hash]
        self._attempts[body_hash] += 1
        return attempt

    def add(self, entry: Entry) -> None:
        """Add one request."""
        self._sums["received"] += 1
        if entry.attempt is None:
            self._refused[entry.error or str(entry.status)] += 1
        if entry.fault is not None:
            self._faults[entry.fault] += 1
        elif entry.status == 200:
            self._sums["answered"] += 1
        if entry.paid:
            self._sums["paid"] += 1
            self._sums["prompt_tokens"] += entry.prompt_tokens
            self._sums["completion_tokens"] += entry.completion_tokens
            self._paid.add(entry.sha256)

    def stats(self, batches: Counter[int], bucket: TokenBucket | None) -> Stats:
        """Return the sums, with what the model's batches and the rate limit were."""
        return Stats(
            received=self._sums["received"],
            refused=dict(self._refused),
            answered=self._sums["answered"],
            faults=dict(self._faults),
            paid=self._sums["paid"],
            distinct_paid=len(self._paid),
            duplicates=self._sums["paid"] - len(self._paid),
            prompt_tokens=self._sums["prompt_tokens"],
            completion_tokens=self._sums["completion_tokens"],
            in_flight=self._in_flight,
            peak_in_flight=self._peak,
            batches={str(size): batches[size] for size in sorted(batches)},
            rate=None if bucket is None else _rate(bucket),
        )


def _rate(bucket: TokenBucket) -> RateStats:
    return RateStats(
        per_s=bucket.rate_per_s,
        burst=bucket.burst,
        allowed=bucket.allowed,
        admitted=bucket.admitted,
    )
