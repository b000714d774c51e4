"""What is kept, what is not, and that nothing is paid for twice."""

import asyncio
import math
import pickle
import signal
import sqlite3
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackbox_anon.errors import BudgetExhaustedError, StoreError
from blackbox_anon.ledger import Ledger
from blackbox_anon.mllms import (
    AbstractMLLM,
    Answer,
    CachedMLLM,
    Failure,
    Request,
    Response,
    Usage,
)
from blackbox_anon.mllms.answer_store import from_json, to_json
from blackbox_anon.mllms.asynchronous import event_loop
from tests.mllms.processes import FORKS, finish, kill, start, wait_until
from tests.mllms.services import ScriptedService, clips, says

TEXTS = st.text('aé\ud800"\\\n\0', max_size=6)  # all that JSON and UTF-8 treat in a way of its own


def cached(mllm: AbstractMLLM, folder: Path) -> CachedMLLM:
    return CachedMLLM(mllm, path=str(folder / "cache.sqlite"))


def test_a_question_is_asked_once_also_after_a_restart(tmp_path: Path) -> None:
    def script(request: Request, number: int) -> Answer:
        logprobs = {"a": -1 / 3, "b": -math.inf, "ü\ud800": -5e-324}
        usage = Usage(input_tokens=number, output_tokens=1)
        return Response(text=f"{request.prompt} {number}", top_logprobs=logprobs, usage=usage)

    first = ScriptedService(script)
    mllm = cached(first, tmp_path)
    answers = mllm.query(clips(4), list("abcd"))
    assert mllm.query(clips(4), list("abcd")) == answers
    assert mllm.figures() == {
        "cache_hits": 4,
        "cache_shared": 0,
        "cache_size": 4,
        "service_calls": 4,
    }
    mllm.close()
    second = ScriptedService(script)
    assert cached(second, tmp_path).query(clips(4), list("abcd")) == answers
    assert second.asked == []


@given(
    text=TEXTS,
    logprobs=st.none() | st.dictionaries(TEXTS, st.floats(allow_nan=False), max_size=5),
    usage=st.none() | st.builds(Usage, input_tokens=st.integers(0), output_tokens=st.integers(0)),
)
def test_answers_come_back_bit_for_bit(
    text: str, logprobs: Mapping[str, float] | None, usage: Usage | None
) -> None:
    answer = Response(text=text, top_logprobs=logprobs, usage=usage)
    found = from_json(to_json(answer))
    assert found == answer
    if logprobs is not None:
        assert found.top_logprobs is not None
        assert [v.hex() for v in found.top_logprobs.values()] == [
            v.hex() for v in logprobs.values()
        ]
        assert list(found.top_logprobs) == list(logprobs)


class Named(ScriptedService):
    """A model of another name or temperature."""

    name: Mapping[str, object]

    @property
    def identity(self) -> Mapping[str, object]:
        return self.name


def test_every_part_of_the_question_counts(tmp_path: Path) -> None:
    frames = clips(1)
    changed = frames.clone()
    changed[0, 0, 0, 0, 0] ^= 1
    asked = 0
    for name in ({"model": "m", "temperature": 0}, {"model": "n", "temperature": 0}):
        for pixels in (frames, changed):
            for prompt in ("?", "? "):
                service = Named(says("yes"))
                service.name = name
                cached(service, tmp_path).query(pixels, [prompt])
                asked += len(service.asked)
    assert asked == 8
    service = Named(says("no"))
    service.name = {"temperature": 0, "model": "m"}  # the order of keys does not count
    assert cached(service, tmp_path).query(frames, ["?"]) == [Response(text="yes")]


@pytest.mark.parametrize(
    "answer",
    [
        Failure(kind="refusal", message="no"),
        Failure(kind="timeout", message="late", outcome_known=False),
        Response(text=""),
        Response(text=" \n"),
    ],
)
def test_failures_and_empty_answers_are_not_kept(answer: Answer, tmp_path: Path) -> None:
    service = ScriptedService(lambda _, number: answer if number == 0 else Response(text="yes"))
    mllm = cached(service, tmp_path)
    assert mllm.query(clips(1), ["?"]) == [answer]
    assert mllm.query(clips(1), ["?"]) == [Response(text="yes")]


def test_equal_requests_at_once_are_one_request(tmp_path: Path) -> None:
    service = ScriptedService(says("yes"), delay_s=lambda _: 0.01)
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
    service = ScriptedService(says("yes"), delay_s=lambda number: 0.0 if number else 30.0)
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

    assert asyncio.run_coroutine_threadsafe(ask(), event_loop()).result(10) == Response(text="yes")


def test_answers_under_way_are_kept_when_a_run_is_interrupted(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in background jobs
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))

    def script(asked: Request, number: int) -> Answer:
        if number == 0:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return Response(text=asked.prompt)

    mllm = cached(ScriptedService(script, delay_s=lambda number: 0.05 * number), tmp_path)
    with pytest.raises(KeyboardInterrupt):
        mllm.query(clips(4), list("abcd"))
    assert mllm.figures()["cache_size"] == 4


def ask_and_log(folder: Path, seconds: float) -> None:
    """What another process does: three questions, each logged when it is really asked."""

    def script(request: Request, _: int) -> Answer:
        with (folder / "log.txt").open("a") as log:
            log.write(request.prompt + "\n")
        time.sleep(seconds)
        return Response(text=request.prompt)

    cached(ScriptedService(script), folder).query(clips(3), list("abc"))


def ask_and_hang(folder: Path) -> None:
    """Of three questions the first is answered at once, the second never."""

    def script(request: Request, number: int) -> Answer:
        with (folder / "log.txt").open("a") as log:
            log.write(request.prompt + "\n")
        if number == 1:
            wait_until(lambda: False, seconds=600)
        return Response(text=request.prompt)

    cached(ScriptedService(script), folder).query(clips(3), list("abc"))


def stored(folder: Path) -> int:
    """Answers on the disk, seen by another reader than the product's."""
    connection = sqlite3.connect(f"file:{folder / 'cache.sqlite'}?mode=ro", uri=True)
    try:
        found: tuple[int] = connection.execute("SELECT COUNT(*) FROM answers").fetchone()
    finally:
        connection.close()
    return found[0]


def logged(folder: Path) -> list[str]:
    log = folder / "log.txt"
    return log.read_text().split() if log.exists() else []


@FORKS
def test_processes_that_ask_the_same_at_once_pay_once(tmp_path: Path) -> None:
    processes = [start(ask_and_log, tmp_path, 0.1) for _ in range(3)]
    assert [finish(process) for process in processes] == [0, 0, 0]
    assert sorted(logged(tmp_path)) == ["a", "b", "c"]


@FORKS
def test_a_killed_process_pays_nothing_twice_and_blocks_nobody(tmp_path: Path) -> None:
    """Killed while the second call of three is under way; which one is first is open."""
    process = start(ask_and_hang, tmp_path)
    wait_until(lambda: len(logged(tmp_path)) == 2 and stored(tmp_path) == 1)
    kill(process)
    first, second = logged(tmp_path)
    service = ScriptedService(lambda request, _: Response(text=request.prompt))
    answers = cached(service, tmp_path).query(clips(3), list("abc"))
    assert answers == [Response(text=letter) for letter in "abc"]
    assert first not in [request.prompt for request in service.asked]
    assert second in [request.prompt for request in service.asked]
    assert len(service.asked) == 2


def test_other_files_are_refused_and_left_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    mllm = cached(ScriptedService(says("yes")), tmp_path)

    def refused() -> str:
        before = path.read_bytes()
        with pytest.raises(StoreError, match="`path` must be a cache of answers") as caught:
            mllm.query(clips(1), ["?"])
        assert path.read_bytes() == before
        return str(caught.value)

    path.write_bytes(b"garbage" * 1000)
    assert "not a database" in refused()
    path.write_bytes(pickle.dumps({"answer": "yes"}))
    refused()
    path.unlink()
    foreign = sqlite3.connect(path)
    foreign.execute("CREATE TABLE t (x)")
    foreign.close()
    assert "another SQLite file" in refused()
    path.unlink()
    Ledger(path, run="r").close()
    assert "another SQLite file" in refused()


def edit(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_another_version_is_refused(tmp_path: Path) -> None:
    mllm = cached(ScriptedService(says("yes")), tmp_path)
    mllm.query(clips(1), ["?"])
    mllm.close()
    edit(tmp_path / "cache.sqlite", "PRAGMA user_version = 2")
    with pytest.raises(StoreError, match=r"of version 1; .* is of version 2"):
        mllm.query(clips(1), ["?"])


@pytest.mark.parametrize("value", ["{", "[]", '{"text": 3, "top_logprobs": null, "usage": null}'])
def test_a_damaged_answer_is_noticed(value: str, tmp_path: Path) -> None:
    mllm = cached(ScriptedService(says("yes")), tmp_path)
    mllm.query(clips(1), ["?"])
    mllm.close()
    edit(tmp_path / "cache.sqlite", f"UPDATE answers SET answer = '{value}'")
    with pytest.raises(StoreError, match="holds no answer at"):
        mllm.query(clips(1), ["?"])
    mllm.close()


def test_the_file_is_nobody_elses(tmp_path: Path) -> None:
    cached(ScriptedService(says("yes")), tmp_path).query(clips(1), ["?"])
    assert (tmp_path / "cache.sqlite").stat().st_mode & 0o077 == 0
