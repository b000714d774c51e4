"""Ask again what failed for a reason that may pass."""

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Sequence

from typing_extensions import override

from blackbox_anon.arguments import require
from blackbox_anon.mllms.abstract import AbstractMLLM, Request
from blackbox_anon.mllms.answers import Answer, Failure, FailureKind
from blackbox_anon.mllms.gathering import paused
from blackbox_anon.mllms.wrapping import AbstractWrapper

_MAY_PASS: tuple[FailureKind, ...] = ("timeout", "rate_limit", "malformed", "server_error")


class SystemClock:
    """The time of this machine; tests put their own in its place."""

    def now(self) -> float:
        """Return seconds of a clock that never goes back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)


class RetryingMLLM(AbstractWrapper):
    """Repeats calls that failed, after growing random pauses.

    The pause before attempt ``k + 1`` is uniform in ``[0, min(max_delay_s, base_delay_s * 2^(k -
    1))]`` (full jitter); what the service asked to wait comes on top. No attempt begins later than
    ``deadline_s`` after the first; a pause that would end later is not made, and the last failure
    is the answer.

    A refusal, or an answer that is none of the choices, is an answer of the model: to repeat it
    until it pleases would change what is measured. Services must not repeat calls by themselves.

    Args:
        mllm: What is asked.
        max_attempts: The most calls for one request, the first included.
        base_delay_s: Bound of the first pause.
        max_delay_s: Bound of any pause, before what the service asked for.
        deadline_s: When to begin no further attempt.
        seed: Of the pauses; processes with one seed draw different ones.
        retry: Which failures are repeated; ``None`` takes those that may pass: ``timeout``,
            ``rate_limit``, ``malformed``, ``server_error``.

    Raises:
        ValueError: If a number is out of its range.

    Reference:
        Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """

    def __init__(
        self,
        mllm: AbstractMLLM,
        *,
        max_attempts: int = 6,
        base_delay_s: float = 1.0,
        max_delay_s: float = 60.0,
        deadline_s: float = 600.0,
        seed: int = 0,
        retry: Sequence[FailureKind] | None = None,
    ) -> None:
        super().__init__(mllm)
        require(
            max_attempts=(max_attempts, max_attempts >= 1, "1 or more"),
            base_delay_s=(base_delay_s, base_delay_s >= 0, "0 or more"),
            max_delay_s=(max_delay_s, max_delay_s >= 0, "0 or more"),
            deadline_s=(deadline_s, deadline_s >= 0, "0 or more"),
        )
        self.max_attempts, self.deadline_s = max_attempts, deadline_s
        self.base_delay_s, self.max_delay_s = base_delay_s, max_delay_s
        self.retry: tuple[FailureKind, ...] = _MAY_PASS if retry is None else tuple(retry)
        self.seed = seed
        self.clock = SystemClock()
        self._random: tuple[int, random.Random] | None = None
        self._counts: Counter[str] = Counter()

    @override
    def own_figures(self) -> dict[str, float]:
        return {"retries": self._counts["retries"], "gave_up": self._counts["gave_up"]}

    @override
    async def answer(self, request: Request) -> Answer:
        start = self.clock.now()
        for attempt in range(1, self.max_attempts + 1):
            answer = await self.ask_inside(request)
            if not (isinstance(answer, Failure) and answer.kind in self.retry):
                return answer
            delay = self._delay(attempt, answer)
            late = self.clock.now() + delay > start + self.deadline_s
            if attempt == self.max_attempts or late:
                break
            with paused():
                await self.clock.sleep(delay)
            self._counts["retries"] += 1
        self._counts["gave_up"] += 1
        return answer

    def _delay(self, attempt: int, failure: Failure) -> float:
        bound = min(self.max_delay_s, self.base_delay_s * 2.0 ** min(attempt - 1, 60))
        return (failure.retry_after_s or 0.0) + self._generator().uniform(0.0, bound)

    def _generator(self) -> random.Random:
        """Of this process: ranks that were refused together must not come back together."""
        if self._random is None or self._random[0] != os.getpid():
            self._random = (os.getpid(), random.Random(f"{self.seed} {os.getpid()}"))
        return self._random[1]
