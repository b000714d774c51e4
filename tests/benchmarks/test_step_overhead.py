import asyncio
import sys
import time
from pathlib import Path

import pytest

from benchmarks.clocks import MEANWHILE, InFlight, Stopwatch
from benchmarks.step_overhead import BLACK_BOX, measure, measure_service


class Worker:
    def outer(self) -> int:
        time.sleep(0.02)
        return self.inner() + 1

    def inner(self) -> int:
        time.sleep(0.04)
        return 1

    def fail(self) -> None:
        raise RuntimeError


def test_time_of_inner_calls_is_not_counted_twice() -> None:
    watch, worker = Stopwatch(), Worker()
    watch.time("outer", worker, "outer")
    watch.time("inner", worker, "inner")
    assert worker.outer() == 2
    assert 0.02 <= watch.seconds["outer"] < 0.04 <= watch.seconds["inner"]


def test_what_is_done_within_a_call_can_have_a_name_of_its_own() -> None:
    watch, worker = Stopwatch(around="outer"), Worker()
    watch.time("outer", worker, "outer")
    watch.time("inner", worker, "inner")
    worker.outer()
    worker.inner()
    assert set(watch.seconds) == {"outer", "inner", "inner" + MEANWHILE}
    assert min(watch.seconds["inner"], watch.seconds["inner" + MEANWHILE]) >= 0.04


def test_a_call_that_raises_is_counted_and_closed() -> None:
    watch, worker = Stopwatch(), Worker()
    watch.time("fail", worker, "fail")
    with pytest.raises(RuntimeError):
        worker.fail()
    assert watch.seconds["fail"] > 0
    assert len(watch._inner) == 1


def test_calls_at_once_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two calls from 1 to 3 and from 2 to 6, a pause, then a third from 7 to 8."""
    now = 0.0
    monkeypatch.setattr("benchmarks.clocks.time.perf_counter", lambda: now)
    clock = InFlight()
    call = clock.timed_coroutine(asyncio.Event.wait)

    async def begin(at: float) -> tuple[asyncio.Event, asyncio.Task[bool]]:
        nonlocal now
        now, gate = at, asyncio.Event()
        task = asyncio.create_task(call(gate))
        await asyncio.sleep(0)  # until it waits
        return gate, task

    async def end(at: float, gate: asyncio.Event, task: "asyncio.Task[bool]") -> None:
        nonlocal now
        now = at
        gate.set()
        await task

    async def main() -> None:
        first, second = await begin(1.0), await begin(2.0)
        await end(3.0, *first)
        assert clock.seconds == 0, "one is still in flight"
        await end(6.0, *second)
        await end(8.0, *await begin(7.0))

    asyncio.run(main())
    assert clock.seconds == (6 - 1) + (8 - 7)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Lightning's, about a run of three steps
def test_shares_of_a_service_are_those_of_a_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["step_overhead"])
    found = measure_service(1, 2, str(tmp_path), 0.2)
    assert found["calls"] == 3 * 32
    assert 0 < found["outside_share"] < found["off_the_wire_share"] < 1
    assert sum(found["ms_per_step"].values()) == pytest.approx(found["total_ms_per_step"])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Lightning's, about a run of three steps
def test_parts_add_up_to_the_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["step_overhead"])
    found = measure(1, 2, str(tmp_path))
    parts = found["ms_per_step"]
    assert sum(parts.values()) == pytest.approx(found["total_ms_per_step"])
    assert parts[BLACK_BOX] > 0
    assert found["history_mb"] < 1
