"""Count a training step's calls, over all processes."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from blackbox_anon.mllms import Answer
from blackbox_anon.tasks.failure_log import FailureLog
from blackbox_anon.tasks.failure_policy import FailurePolicy


class CallCounter:
    """Counts calls on this process until all processes add theirs up.

    Args:
        policy: When to stop.

    Example:
        >>> from blackbox_anon.mllms import Failure
        >>> counter = CallCounter(FailurePolicy())
        >>> counter.hear([Failure(kind="timeout", message="30 s passed")])
        >>> queries, failed = torch.tensor(0), torch.zeros(6, dtype=torch.int64)
        >>> counter.add_up(lambda own: 2 * own, queries=queries, failed=failed)  # two processes
        >>> queries, failed
        (tensor(2), tensor([2, 0, 0, 0, 0, 0]))
    """

    def __init__(self, policy: FailurePolicy) -> None:
        self._log = FailureLog(policy)
        self._own = torch.zeros_like(self._log.total)

    def hear(self, answers: Sequence[Answer]) -> None:
        """Count the answers of one call to the black box."""
        self._own += self._log.tally(answers)

    def forget(self) -> None:
        """Drop what was counted and not yet added up."""
        self._own.zero_()

    def add_up(
        self, over_ranks: Callable[[Tensor], Tensor], *, queries: Tensor, failed: Tensor
    ) -> None:
        """Add what all processes counted since the last time, and count from zero again.

        Args:
            over_ranks: Sums a tensor over processes; each of them must call this.
            queries: Calls so far, a scalar; added to in place.
            failed: Failures so far by kind, shape ``(len(KINDS),)``; added to in place.

        Raises:
            TooManyFailuresError: If too many of the last calls failed, on all processes at once.
        """
        own, self._own = self._own, torch.zeros_like(self._own)
        total = over_ranks(own)
        queries += total[0]
        failed += total[1:]
        self._log.add(total)
