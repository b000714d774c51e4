"""How a service behaves."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from blackbox_anon.server.choices import Structured
from blackbox_anon.server.schedule import FaultKind, FaultSchedule


@dataclass(frozen=True, kw_only=True)
class ServiceOptions:
    """How a service behaves: its limits, its faults, what it writes down.

    Attributes:
        model: The name that requests must ask for.
        api_key: The key that requests must bring as a bearer token; ``None``: any or none.
        structured: Which fields constrain the answer, see :func:`requested_choices`.
        max_images: Most images of a request.
        max_body_mib: Largest request, in MiB.
        tokens_per_image: What an image adds to the usage (85: OpenAI's low detail).
        batch_size: Clips that the model is given at once; where fewer wait, one of them fills up.
            Answers are those of the model asked locally in batches of that size, to the last bit.
        batch_window_s: How long a request waits for others to join its batch, in seconds.
        faults: Share of each kind of fault, see :class:`FaultSchedule`.
        seed: Seed of faults and latencies.
        retry_after_s: What the ``429`` fault asks for, in seconds.
        drip_s: How long the ``drip`` fault takes to send a reply, in seconds.
        latency_s: Least and most time from request to reply, in seconds; uniform in between.
        rate_per_s: Requests admitted per second; ``None``: all.
        burst: Requests admitted at once, after a pause.
        journal: File of received requests; with it, sums and attempts outlive the server.
        fsync: Force every line of the journal to the disk.
        record_bytes: Folder for everything that clients sent, keys included.
        port: TCP port on the loopback interface; 0: one that is free.
    """

    model: str = "peopleworld"
    api_key: str | None = field(default=None, repr=False)
    structured: Structured = "openai"
    max_images: int = 500
    max_body_mib: int = 50
    tokens_per_image: int = 85
    batch_size: int = 1
    batch_window_s: float = 0.005
    faults: Mapping[FaultKind, float] = field(default_factory=dict)
    seed: int = 0
    retry_after_s: float = 1.0
    drip_s: float = 30.0
    latency_s: tuple[float, float] = (0.0, 0.0)
    rate_per_s: float | None = None
    burst: int = 1
    journal: Path | None = None
    fsync: bool = False
    record_bytes: Path | None = None
    port: int = 0

    def __post_init__(self) -> None:
        for name in ("max_images", "max_body_mib", "batch_size", "burst"):
            self._require(name, getattr(self, name) >= 1, "at least 1")
        for name in ("tokens_per_image", "batch_window_s", "retry_after_s", "drip_s"):
            value = getattr(self, name)
            self._require(name, math.isfinite(value) and value >= 0, "finite and not negative")
        low, high = self.latency_s
        self._require("latency_s", 0 <= low <= high < math.inf, "two times, the lesser first")
        rate = self.rate_per_s
        self._require("rate_per_s", rate is None or 0 < rate < math.inf, "positive")
        self._require("port", 0 <= self.port < 65536, "from 0 to 65535")
        self._require("api_key", self.api_key != "", "a key, or absent")
        self.schedule  # noqa: B018  (its checks)

    @property
    def schedule(self) -> FaultSchedule:
        """The faults."""
        return FaultSchedule(shares=self.faults, seed=self.seed)

    def latency(self, body_hash: str, attempt: int) -> float:
        """Return how long this attempt at this request takes, in seconds; pure as the faults."""
        low, high = self.latency_s
        return low + (high - low) * self.schedule.uniform("latency", body_hash, attempt)

    def _require(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            msg = f"`{name}` must be {expected}; found {getattr(self, name)!r}"
            raise ValueError(msg)
