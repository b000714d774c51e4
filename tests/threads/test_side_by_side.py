"""Threads that answer shares of a query."""

import os
import pickle
import threading
import time
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from blackbox_anon.threads import SideBySide

LONG_S = 60.0


@given(st.integers(0, 40), st.integers(1, 8))
def test_shares_are_neighbours_of_nearly_one_size(count: int, workers: int) -> None:
    shares = SideBySide(workers).shares(count)
    assert [i for share in shares for i in range(count)[share]] == list(range(count))
    sizes = {share.stop - share.start for share in shares}
    assert len(shares) == min(workers, count)
    assert not sizes or max(sizes) - min(sizes) <= 1


def test_jobs_and_the_caller_work_at_once() -> None:
    """Nobody goes on before all have come."""
    together = threading.Barrier(3)

    def job(name: str) -> Callable[[], str]:
        def work() -> str:
            together.wait(LONG_S)
            return name

        return work

    def meanwhile() -> None:
        together.wait(LONG_S)

    assert SideBySide(2).run([job("a"), job("b")], meanwhile) == ["a", "b"]


def test_each_has_one_core_and_no_gradients_but_the_callers_autocast() -> None:
    def state() -> tuple[int, bool, bool]:
        return (
            torch.get_num_threads(),
            torch.is_grad_enabled(),
            torch.is_autocast_enabled("cpu"),
        )

    before, seen, side_by_side = torch.get_num_threads(), list[int](), SideBySide(2)
    torch.set_num_threads(3)
    try:
        with torch.autocast("cpu", torch.bfloat16):
            found = side_by_side.run([state] * 3, lambda: seen.append(torch.get_num_threads()))
        assert found == [(1, False, True)] * 3
        assert side_by_side.run([state]) == [(1, False, False)]
        assert seen == [1]
        assert torch.get_num_threads() == 3
        others: list[int] = []
        thread = threading.Thread(target=lambda: others.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        assert others == [3]
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("whose", ["job", "caller"])
def test_what_fails_is_raised_when_all_have_ended(whose: str) -> None:
    ended: list[str] = []

    def fail() -> str:
        raise RuntimeError(whose)

    def slow() -> str:
        time.sleep(0.05)
        ended.append("slow")
        return "slow"

    def meanwhile() -> None:
        if whose == "caller":
            fail()

    before = torch.get_num_threads()
    jobs = [fail, slow] if whose == "job" else [slow, slow]
    with pytest.raises(RuntimeError, match=whose):
        SideBySide(2).run(jobs, meanwhile)
    assert len(ended) == jobs.count(slow)
    assert torch.get_num_threads() == before


def test_neither_a_copy_nor_a_fork_waits_for_the_parents_threads() -> None:
    side_by_side = SideBySide(2)
    assert side_by_side.run([os.getpid]) == [os.getpid()]
    copy: SideBySide = pickle.loads(pickle.dumps(side_by_side))
    assert copy.run([os.getpid] * 3) == [os.getpid()] * 3
    child = os.fork()
    if child == 0:
        os._exit(0 if side_by_side.run([os.getpid]) == [os.getpid()] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
