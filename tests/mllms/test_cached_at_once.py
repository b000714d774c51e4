"""Equal requests at once, cancelled and interrupted ones."""

import asyncio
import signal
import sys
import threading
from pathlib import Path

import pytest

from blackbox_anon.errors import BudgetExhaustedError
from blackbox_anon.mllms import (
    Answer,
    Request,
    Response,
    asynchronous,
)
from blackbox_anon.mllms.asynchronous import event_loop
from blackbox_anon.mllms.gathering import Gathering
from tests.mllms.caching import cached
from tests.mllms.processes import PATIENCE_S, wait_until
from tests.mllms.services import ScriptedService, clips, says


class Awaited(ScriptedService):
    """Answers when all other requests of the query wait for it."""

    async def answer(self, request: Request) -> Answer:
        gathering = Gathering.of(request)
        assert gathering is not None
        while gathering.moving > 1:
            await asyncio.sleep(0.001)
        return await super().answer(request)


def test_equal_requests_at_once_are_one_request(tmp_path: Path) -> None:
    service = Awaited(says("yes"))
    mllm = cached(service, tmp_path)
    frames = clips(1).expand(50, -1, -1, -1, -1)
    assert mllm.query(frames, ["?"] * 50) == [Response(text="yes")] * 50
    assert len(service.asked) == 1
    assert mllm.figures()["cache_shared"] == 49


def test_an_error_reaches_all_that_wait_for_it_and_the_claim_ends(tmp_path: Path) -> None:
    service = ScriptedService(
        lambda _, number: BudgetExhaustedError("empty") if number == 0 else Response(text="yes")
    )
    mllm = cached(service, tmp_path)
    with pytest.raises(BudgetExhaustedError, match="empty"):
        mllm.query(clips(1).expand(5, -1, -1, -1, -1), ["?"] * 5)
    assert mllm.query(clips(1), ["?"]) == [Response(text="yes")]


def test_who_waits_for_a_cancelled_request_asks_itself(tmp_path: Path) -> None:
    service = ScriptedService(says("yes"), delay_s=lambda number: 0.0 if number else 3600.0)
    mllm = cached(service, tmp_path)
    request = Request(frames=clips(1)[0], prompt="?")

    async def ask() -> Answer:
        first = asyncio.ensure_future(mllm.answer(request))
        while not service.asked:
            await asyncio.sleep(0.001)
        second = asyncio.ensure_future(mllm.answer(request))
        await asyncio.sleep(0.01)
        first.cancel()
        return await second

    assert asyncio.run_coroutine_threadsafe(ask(), event_loop()).result(PATIENCE_S) == Response(
        text="yes"
    )


def main_thread_waits() -> bool:
    """Whether it is where ``query`` waits for answers."""
    frame = sys._current_frames()[threading.main_thread().ident or 0]
    return frame.f_code.co_name == "wait" and frame.f_code.co_filename == threading.__file__


def test_answers_under_way_are_kept_when_a_run_is_interrupted(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asynchronous, "PATIENCE_S", PATIENCE_S)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in background jobs
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))

    def script(asked: Request, number: int) -> Answer:
        if number == 0:
            wait_until(main_thread_waits)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return Response(text=asked.prompt)

    mllm = cached(ScriptedService(script, delay_s=lambda number: 0.05 * number), tmp_path)
    with pytest.raises(KeyboardInterrupt):
        mllm.query(clips(4), list("abcd"))
    assert mllm.figures()["cache_size"] == 4
