"""Which failures are asked again, when, and for how long."""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackbox_anon.mllms import (
    Answer,
    Failure,
    FailureKind,
    Request,
    Response,
    RetryingMLLM,
    SystemClock,
)
from tests.mllms.services import ScriptedService, clips, says


class FakeClock(SystemClock):
    """Time passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.time = 0.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)


def failing(times: int, failure: Failure) -> Callable[[Request, int], Answer]:
    return lambda _, number: failure if number < times else Response(text="yes")


def retrying(
    script: Callable[[Request, int], Answer],
    *,
    max_attempts: int = 6,
    base_delay_s: float = 1.0,
    max_delay_s: float = 60.0,
    deadline_s: float = 600.0,
    retry: Sequence[FailureKind] | None = None,
) -> tuple[RetryingMLLM, ScriptedService, FakeClock]:
    service, clock = ScriptedService(script), FakeClock()
    mllm = RetryingMLLM(
        service,
        max_attempts=max_attempts,
        base_delay_s=base_delay_s,
        max_delay_s=max_delay_s,
        deadline_s=deadline_s,
        retry=retry,
    )
    mllm.clock = clock
    return mllm, service, clock


def ask(mllm: RetryingMLLM) -> Answer:
    [answer] = mllm.query(clips(1), ["?"])
    return answer


@pytest.mark.parametrize("kind", get_args(FailureKind))
def test_only_what_may_pass_is_repeated(kind: FailureKind) -> None:
    mllm, service, _ = retrying(failing(2, Failure(kind=kind, message="no")))
    answer = ask(mllm)
    final = kind in ("refusal", "wrong_class")
    assert isinstance(answer, Failure) == final
    assert service.queries == (1 if final else 3)
    assert mllm.figures()["retries"] == (0 if final else 2)


def test_the_user_says_what_is_repeated() -> None:
    mllm, service, _ = retrying(
        failing(1, Failure(kind="refusal", message="no")), retry=["refusal"]
    )
    assert isinstance(ask(mllm), Response)
    assert service.queries == 2
    mllm, service, _ = retrying(failing(1, Failure(kind="timeout", message="no")), retry=[])
    assert isinstance(ask(mllm), Failure)


@given(
    times=st.integers(0, 10),
    max_attempts=st.integers(1, 8),
    base=st.floats(0, 10),
    most=st.floats(0, 30),
    retry_after=st.none() | st.floats(0, 20),
    deadline=st.floats(0, 100),
)
def test_pauses_and_attempts_stay_within_their_bounds(
    times: int,
    max_attempts: int,
    base: float,
    most: float,
    retry_after: float | None,
    deadline: float,
) -> None:
    failure = Failure(kind="rate_limit", message="slow down", retry_after_s=retry_after)
    mllm, service, clock = retrying(
        failing(times, failure),
        max_attempts=max_attempts,
        base_delay_s=base,
        max_delay_s=most,
        deadline_s=deadline,
    )
    answer = ask(mllm)
    asked = retry_after or 0.0
    assert service.queries == len(clock.slept) + 1 <= max_attempts
    assert clock.time <= deadline + 1e-6
    for k, pause in enumerate(clock.slept):
        assert asked <= pause <= asked + min(most, base * 2**k) + 1e-9
    if isinstance(answer, Failure):
        tried_all = service.queries == max_attempts
        next_bound = asked + min(most, base * 2 ** len(clock.slept))
        assert tried_all or clock.time + next_bound >= deadline - 1e-6
        assert mllm.figures()["gave_up"] == 1
    else:
        assert service.queries == times + 1


def test_pauses_fill_the_whole_range() -> None:
    """Full jitter: a uniform pause, here against its mean and extremes."""
    failure = Failure(kind="server_error", message="503")
    pauses = []
    mllm, _, clock = retrying(
        failing(10**9, failure), max_attempts=301, max_delay_s=4.0, deadline_s=1e9
    )
    ask(mllm)
    pauses = clock.slept[2:]
    assert min(pauses) < 0.2
    assert max(pauses) > 3.8
    assert sum(pauses) / len(pauses) == pytest.approx(2.0, abs=0.3)


def test_requests_are_repeated_each_by_itself() -> None:
    flaky = {str(i): random.Random(i).randrange(4) for i in range(30)}
    left = dict(flaky)

    def script(request: Request, _: int) -> Answer:
        if left[request.prompt]:
            left[request.prompt] -= 1
            return Failure(kind="timeout", message="30 s passed", outcome_known=False)
        return Response(text=request.prompt)

    mllm, service, _ = retrying(script)
    answers = mllm.query(clips(30), list(flaky))
    assert [a.text for a in answers if isinstance(a, Response)] == list(flaky)
    assert service.queries == 30 + sum(flaky.values())
    assert mllm.queries == 30


@pytest.mark.parametrize(
    ("numbers", "name"),
    [
        ((0, 1.0, 1.0), "max_attempts"),
        ((1, -1.0, 1.0), "base_delay_s"),
        ((1, 1.0, float("nan")), "deadline_s"),
    ],
)
def test_refuses_what_makes_no_sense(numbers: tuple[int, float, float], name: str) -> None:
    attempts, base, deadline = numbers
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        retrying(says("a"), max_attempts=attempts, base_delay_s=base, deadline_s=deadline)
