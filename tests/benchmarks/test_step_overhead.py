import sys
import time
from pathlib import Path

import pytest

from benchmarks.step_overhead import BLACK_BOX, Stopwatch, measure


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


def test_a_call_that_raises_is_counted_and_closed() -> None:
    watch, worker = Stopwatch(), Worker()
    watch.time("fail", worker, "fail")
    with pytest.raises(RuntimeError):
        worker.fail()
    assert watch.seconds["fail"] > 0
    assert len(watch._inner) == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Lightning's, about a run of three steps
def test_parts_add_up_to_the_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["step_overhead"])
    found = measure(1, 2, str(tmp_path))
    parts = found["ms_per_step"]
    assert sum(parts.values()) == pytest.approx(found["total_ms_per_step"])
    assert parts[BLACK_BOX] > 0
    assert found["history_mb"] < 1
