"""Count what failed, by kind, and stop a run in which too much does."""

from collections import deque
from collections.abc import Sequence
from typing import get_args

import torch
from torch import Tensor

from blackbox_anon.errors import TooManyFailuresError
from blackbox_anon.mllms import Answer, Failure, FailureKind
from blackbox_anon.tasks.failure_policy import FailurePolicy

KINDS: tuple[FailureKind, ...] = get_args(FailureKind)


def by_kind(failed: Tensor) -> dict[str, int]:
    """Name counts, shape ``(len(KINDS),)``; kinds that did not occur are left out.

    Example:
        >>> by_kind(torch.tensor([2, 0, 1, 0, 0, 0]))
        {'timeout': 2, 'refusal': 1}
    """
    return {kind: int(n) for kind, n in zip(KINDS, failed.tolist(), strict=True) if n}


class FailureLog:
    """Tallies of calls, how many were made and how many failed of each kind.

    A tally is a tensor, so that it can be summed over processes before it is added: then all of
    them stop together.

    Args:
        policy: When to stop.

    Example:
        >>> log = FailureLog(FailurePolicy())
        >>> log.add(log.tally([Failure(kind="timeout", message="30 s passed")]))
        >>> log.asked, log.failed
        (1, {'timeout': 1})
    """

    def __init__(self, policy: FailurePolicy) -> None:
        self.policy = policy
        self.total = torch.zeros(1 + len(KINDS), dtype=torch.int64)
        """All that was added: calls, then failures by :data:`KINDS`."""
        self._recent: deque[Tensor] = deque()
        self._window = torch.zeros_like(self.total)  # their sum
        self._last = "none on this process"

    @property
    def asked(self) -> int:
        """Calls so far."""
        return int(self.total[0])

    @property
    def failed(self) -> dict[str, int]:
        """Failed calls so far by kind, where there were any."""
        return by_kind(self.total[1:])

    def tally(self, answers: Sequence[Answer]) -> Tensor:
        """Count answers and remember the last failure, shape ``(1 + len(KINDS),)``, int64."""
        counts = torch.zeros_like(self.total)
        counts[0] = len(answers)
        for answer in answers:
            if isinstance(answer, Failure):
                counts[1 + KINDS.index(answer.kind)] += 1
                self._last = answer.message
        return counts

    def add(self, tally: Tensor) -> None:
        """Take in a tally.

        Raises:
            TooManyFailuresError: If too many of the last calls failed; sums up which and how.
        """
        tally = tally.cpu()
        if tally[0] == 0:
            return  # the window keeps calls, not steps that made none
        self.total += tally
        self._recent.append(tally)
        self._window += tally
        while self._window[0] - self._recent[0][0] >= self.policy.window:
            self._window -= self._recent.popleft()
        asked, failed = int(self._window[0]), int(self._window[1:].sum())
        if asked >= self.policy.min_calls and failed > self.policy.max_failed_share * asked:
            raise TooManyFailuresError(self._summary(failed, asked))

    def require_an_answer(self) -> None:
        """Refuse to go on where calls were made and every one failed.

        Raises:
            TooManyFailuresError: Then.
        """
        if self.asked and sum(self.failed.values()) == self.asked:
            raise TooManyFailuresError(self._summary(self.asked, self.asked))

    def _summary(self, failed: int, asked: int) -> str:
        kinds = ", ".join(f"{kind} {count}" for kind, count in self.failed.items())
        return (
            f"{failed} of the last {asked} calls to the MLLM failed (`max_failed_share` is "
            f"{self.policy.max_failed_share:g}). In all {sum(self.failed.values())} of "
            f"{self.asked} failed: {kinds}. Last: {self._last}"
        )
