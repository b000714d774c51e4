"""How many requests a second a service takes, learnt from what it refuses."""

from dataclasses import dataclass, field
from typing import final

from blackbox_anon.services.headers import RequestLimit

_EARLY = 0.1  # of a cycle: a refusal so soon says that the pace is far off
_DROP, _EARLY_DROP = 0.05, 0.3
_REFUSAL_SHARE = 1 / 30  # of the time that waiting after refusals may take
_SHORTEST_S, _LONGEST_S = 2.0, 60.0
_TRUSTED_RESET_S = 10.0  # resets are often told in whole seconds


@final
@dataclass(kw_only=True)
class Pace:
    r"""Requests per second, or none as long as nothing was refused.

    After a refusal at pace :math:`w`, with :math:`t` seconds since and a cycle of :math:`K`:

    .. math:: p(t) = w \Bigl(1 + d \bigl(\tfrac{t - K}{K}\bigr)^3\Bigr)

    The pace returns fast to near the refused one, stays there for most of the cycle and then
    probes ever faster, so a limit that was raised is found. The drop :math:`d` is 5 %, or 30 % if
    the refusal came in the first tenth of a cycle. A cycle is 30 times the wait that the service
    asked for, from 2 s to 1 min: waiting then costs about 3 %. Only the first cycle, which begins
    with a rough guess, is short whatever the wait.

    A service that tells its limit bounds the pace: a full allowance over the longest reset it
    reported. That never lies below what it takes, whether it refills steadily or at once.

    Reference:
        The cubic is that of TCP CUBIC (RFC 9438, section 4.2).
    """

    _refused: float | None = None
    _since: float = 0.0
    _cycle_s: float = _SHORTEST_S
    _drop: float = _DROP
    _reset_s: float = 0.0
    _told: RequestLimit | None = field(default=None)

    def rate(self, now: float) -> float | None:
        """Return the pace at a time, in requests per second; ``None``: as fast as can be."""
        bounds = [p for p in (self._probed(now), self._allowed()) if p is not None]
        return min(bounds, default=None)

    def refuse(self, now: float, *, rate: float | None, wait_s: float) -> None:
        """Learn that a request was refused.

        Args:
            now: The time.
            rate: Requests per second that led to it; ``None`` where it is not known.
            wait_s: How long the service asked to wait.
        """
        if rate is None or rate <= 0:
            return
        first = self._refused is None
        early = first or now - self._since < _EARLY * self._cycle_s
        self._drop = _EARLY_DROP if early else _DROP
        self._refused, self._since = rate, now
        cycle_s = _SHORTEST_S if first else wait_s / _REFUSAL_SHARE
        self._cycle_s = min(max(cycle_s, _SHORTEST_S), _LONGEST_S)

    def learn(self, told: RequestLimit) -> None:
        """Learn what a reply's headers tell about the limit."""
        if self._told is None or told.limit != self._told.limit:
            self._reset_s = 0.0
        self._told = told
        self._reset_s = max(self._reset_s, told.reset_s)

    def _probed(self, now: float) -> float | None:
        if self._refused is None:
            return None
        cycles = (now - self._since - self._cycle_s) / self._cycle_s
        return self._refused * (1 + self._drop * cycles**3)

    def _allowed(self) -> float | None:
        if self._told is None or self._reset_s < _TRUSTED_RESET_S:
            return None
        return self._told.limit / self._reset_s
