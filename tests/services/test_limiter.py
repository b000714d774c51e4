import asyncio
import math
from dataclasses import dataclass
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackbox_anon.server import TokenBucket
from blackbox_anon.services import AdaptiveLimiter, Pace, RequestLimit, Ticket
from tests import virtual_time

Told = Literal["exact", "seconds", "nothing"]


@dataclass
class Seen:
    """What a service saw, from ``after_s`` on."""

    taken: int = 0
    refused: int = 0
    in_flight: int = 0
    most_in_flight: int = 0


async def load(
    limiter: AdaptiveLimiter,
    *,
    rate: float,
    burst: int = 1,
    latency_s: float = 0.05,
    told: Told = "exact",
    duration_s: float = 120.0,
    after_s: float = 40.0,
    clients: int = 90,
    headers: bool = False,
) -> Seen:
    """Let many clients ask a rate-limited service and repeat what it refused, as RetryingMLLM."""
    now = asyncio.get_running_loop().time
    bucket = TokenBucket(rate, burst=burst, clock=now)
    seen = Seen()

    async def once() -> float:
        async with limiter.turn() as ticket:
            seen.in_flight += 1
            seen.most_in_flight = max(seen.most_in_flight, seen.in_flight)
            wait_s = bucket.take()
            await asyncio.sleep(0.005 if wait_s else latency_s)
            seen.in_flight -= 1
            if not wait_s:
                seen.taken += now() > after_s
                sent = reset(bucket, rate, burst) if headers else {}
                limiter.succeed(ticket, sent)
                return 0.0
            seen.refused += now() > after_s
            asked = {"exact": wait_s, "seconds": math.ceil(wait_s), "nothing": None}[told]
            limiter.refuse(ticket, asked)
            return wait_s if asked is None else asked

    async def client() -> None:
        while True:
            await asyncio.sleep(await once())

    running = [asyncio.create_task(client()) for _ in range(clients)]
    await asyncio.sleep(duration_s)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    return seen


def reset(bucket: TokenBucket, rate: float, burst: int) -> dict[str, str]:
    missing = min(burst, bucket.admitted)
    return {
        "x-ratelimit-limit-requests": str(burst),
        "x-ratelimit-reset-requests": f"{missing / rate:.3f}s",
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rate", "burst", "latency_s", "told"),
    [
        (50.0, 50, 1.0, "exact"),
        (50.0, 50, 1.0, "seconds"),
        (12.7, 13, 2.0, "seconds"),
        (12.7, 13, 2.0, "nothing"),
    ],
)
def test_sustains_what_the_service_allows(
    rate: float, burst: int, latency_s: float, told: Told
) -> None:
    seen = virtual_time.run(
        load(
            AdaptiveLimiter(),
            rate=rate,
            burst=burst,
            latency_s=latency_s,
            told=told,
            duration_s=200,
            after_s=60,
        )
    )
    assert seen.taken >= 0.95 * rate * 140
    assert seen.refused < 0.05 * seen.taken + 140


def test_sustains_a_small_limit() -> None:
    seen = virtual_time.run(load(AdaptiveLimiter(), rate=5, burst=5, clients=30))
    assert seen.taken >= 0.95 * 5 * 80


def test_a_told_limit_is_not_run_into() -> None:
    service = load(AdaptiveLimiter(), rate=5, burst=100, clients=30, headers=True, told="seconds")
    seen = virtual_time.run(service)
    assert seen.taken >= 0.95 * 5 * 80
    assert seen.refused == 0


@settings(max_examples=20, deadline=None)
@given(
    start=st.integers(1, 8),
    room=st.integers(0, 8),
    rate=st.sampled_from([1.0, 20.0, 1e6]),
    told=st.sampled_from(["exact", "seconds", "nothing"]),
)
def test_never_exceeds_its_bounds(start: int, room: int, rate: float, told: Told) -> None:
    limiter = AdaptiveLimiter(start=start, maximum=start + room)
    seen = virtual_time.run(
        load(limiter, rate=rate, told=told, duration_s=3, after_s=0, clients=20)
    )
    assert seen.most_in_flight <= start + room
    assert 1 <= limiter.bound <= start + room
    assert limiter.in_flight == 0  # also after cancellation


def test_grows_while_it_holds_requests_back_and_no_further() -> None:
    async def run(clients: int) -> int:
        limiter = AdaptiveLimiter(start=4, maximum=16)
        await load(limiter, rate=1e6, burst=1000, duration_s=5, clients=clients)
        return limiter.bound

    assert virtual_time.run(run(30)) == 16
    assert virtual_time.run(run(3)) == 4


def test_cuts_once_for_all_requests_that_were_in_flight() -> None:
    async def run() -> list[int]:
        limiter = AdaptiveLimiter(start=20)
        bounds = []
        async with asyncio.TaskGroup() as group:

            async def refused() -> None:
                async with limiter.turn() as ticket:
                    await asyncio.sleep(0.1)
                    limiter.refuse(ticket, None)
                    bounds.append(limiter.bound)

            for _ in range(20):
                group.create_task(refused())
        await asyncio.sleep(0.1)
        await refused()
        return bounds

    assert virtual_time.run(run()) == [16] * 20 + [12]


def test_sends_nothing_for_as_long_as_the_service_asks() -> None:
    async def run() -> list[float]:
        limiter = AdaptiveLimiter(start=2)
        sent = []
        async with limiter.turn() as ticket:
            limiter.refuse(ticket, 7.5)
        for _ in range(2):
            async with limiter.turn() as ticket:
                sent.append(ticket.sent_at)
        limiter.pause(3.0)
        limiter.pause(1.0)  # a shorter one does not end the longer
        async with limiter.turn() as ticket:
            sent.append(ticket.sent_at)
        return sent

    assert virtual_time.run(run()) == [7.5, 7.5, 10.5]


def test_waiting_requests_go_in_their_order_and_may_leave() -> None:
    async def run() -> list[int]:
        limiter = AdaptiveLimiter(start=1, maximum=1)
        order: list[int] = []

        async def ask(number: int) -> None:
            async with limiter.turn():
                order.append(number)
                await asyncio.sleep(1)

        tasks = [asyncio.create_task(ask(number)) for number in range(5)]
        await asyncio.sleep(0.5)
        tasks[1].cancel()  # the first that waits
        tasks[3].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return order

    assert virtual_time.run(run()) == [0, 2, 4]


@pytest.mark.parametrize(("start", "maximum"), [(0, 5), (6, 5)])
def test_refuses_bounds_without_sense(start: int, maximum: int) -> None:
    with pytest.raises(ValueError, match="`start` must be from 1"):
        AdaptiveLimiter(start=start, maximum=maximum)


def test_takes_any_clock() -> None:
    async def run() -> Ticket:
        async with AdaptiveLimiter(clock=lambda: 42.0).turn() as ticket:
            return ticket

    assert asyncio.run(run()) == Ticket(sent_at=42.0, rate=None)


@given(st.floats(0.1, 1e3), st.floats(0.01, 100))
def test_a_pace_falls_after_a_refusal_and_comes_back(rate: float, wait_s: float) -> None:
    pace = Pace()
    assert pace.rate(0.0) is None
    pace.refuse(0.0, rate=rate, wait_s=wait_s)
    times = [0.5 * i for i in range(400)]
    rates = [pace.rate(time) or 0.0 for time in times]
    assert rates[0] == pytest.approx(0.7 * rate)
    assert rates == sorted(rates)
    assert rates[-1] > 2 * rate
    assert all(value > 0 for value in rates)


@given(st.integers(1, 10000), st.floats(10.0, 3600.0), st.lists(st.floats(0, 1), max_size=9))
def test_a_told_limit_is_never_undercut(limit: int, full_s: float, shares: list[float]) -> None:
    """A bucket reports a reset of at most the time it takes to fill; a window, its length."""
    pace = Pace()
    for share in [*shares, 1.0]:
        pace.learn(RequestLimit(limit=limit, reset_s=share * full_s))
        assert pace.rate(0.0) is None or pace.rate(0.0) >= limit / full_s * (1 - 1e-9)  # type: ignore[operator]  # just seen
    assert pace.rate(0.0) == pytest.approx(limit / full_s)
