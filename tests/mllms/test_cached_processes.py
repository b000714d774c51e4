"""Processes that share a cache pay once, also after a kill."""

import sqlite3
import time
from pathlib import Path

from blackbox_anon.mllms import (
    Answer,
    Request,
    Response,
)
from tests.mllms.caching import cached
from tests.mllms.processes import FORKS, finish, kill, start, wait_until
from tests.mllms.services import ScriptedService, clips


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
