"""Which request fails, and how: decided by its bytes alone, never by who comes first."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal, get_args

FaultKind = Literal[
    "429",
    "429-bare",
    "500",
    "error-200",
    "reset",
    "drip",
    "malformed",
    "duplicate",
    "empty",
    "refusal",
    "content-filter",
    "wrong-model",
]
FAULT_KINDS: tuple[FaultKind, ...] = get_args(FaultKind)
UNPAID: frozenset[FaultKind] = frozenset({"429", "429-bare", "500", "error-200"})


def even_shares(total: float) -> dict[FaultKind, float]:
    """Give each kind of fault the same share.

    Example:
        >>> even_shares(0.24)["reset"]
        0.02
    """
    return dict.fromkeys(FAULT_KINDS, total / len(FAULT_KINDS))


@dataclass(frozen=True, kw_only=True)
class FaultSchedule:
    """Faults as a pure function of seed, request and attempt.

    The request is known by the SHA-256 of its body, the attempt is how many times that body had
    been admitted before (from 0; requests refused for their content, key or rate do not count). So
    the order in which requests arrive, their number in flight and a restart of the client change
    nothing, and with a journal neither does a restart of the server.

    Attributes:
        shares: Probability of each kind, from 0 to 1, together at most 1.
        seed: Other seeds fail other requests.

    Example:
        >>> schedule = FaultSchedule(shares={"500": 0.5}, seed=1)
        >>> [schedule.fault("aa", attempt) for attempt in range(4)]
        ['500', None, '500', None]
    """

    shares: Mapping[FaultKind, float] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        unknown = sorted(set(self.shares) - set(FAULT_KINDS))
        if unknown:
            msg = f"`faults` must be among {', '.join(FAULT_KINDS)}; found {', '.join(unknown)}"
            raise ValueError(msg)
        total = sum(self.shares.values())
        if any(not share >= 0 for share in self.shares.values()) or total > 1 + 1e-9:
            msg = f"`faults` must be shares from 0, together at most 1; found {dict(self.shares)}"
            raise ValueError(msg)

    def fault(self, body_hash: str, attempt: int) -> FaultKind | None:
        """Return what goes wrong with this attempt at this request, if anything."""
        left = self.uniform("fault", body_hash, attempt)
        for kind in FAULT_KINDS:  # a fixed order: that of the mapping must not matter
            left -= self.shares.get(kind, 0.0)
            if left < 0:
                return kind
        return None

    def uniform(self, purpose: str, body_hash: str, attempt: int) -> float:
        """Return a number from ``[0, 1)`` that only these three and the seed decide."""
        drawn = sha256(f"{self.seed} {purpose} {body_hash} {attempt}".encode()).digest()
        return (int.from_bytes(drawn[:8], "big") >> 11) / (1 << 53)  # the bits that a float holds
