"""Give one command again and again to processes that are killed, until it is through.

``python -m tests.checkpoints.zygote {walk,fit} FOLDER SEED KILLS`` imports once and forks a child
per attempt, before it has any thread. FOLDER/whole is an uninterrupted run. In FOLDER/killed0 and
so on a child kills itself with SIGKILL: every other one after a random time, the rest in the middle
of a Python call that is drawn among all that a run makes; the next one goes on, until one is
through. After KILLS deaths nobody is killed any more. Prints how many died.
"""

import itertools
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from blackbox_anon.lightning_cli import run as run_command
from blackbox_anon.resuming_cli import ResumingCLI
from tests.checkpoints.parts import run as run_walk

CONFIG = Path(__file__).parent / "killed.yaml"
CALLS = {"walk": 450_000, "fit": 3_000_000}
"""Python calls that training makes, about; a child that makes fewer survives."""


MOST = 12  # deaths of one run


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_in_call(number: int) -> None:
    """Let the process die in its ``number``-th Python call from now, wherever that is."""
    left = number

    def count(frame: FrameType, event: str, argument: object) -> None:
        del frame, event, argument
        nonlocal left
        left -= 1
        if left == 0:
            die()

    sys.setprofile(count)


def die_after(seconds: float) -> None:
    timer = threading.Timer(seconds, die)
    timer.daemon = True
    timer.start()


def walk() -> None:
    """The cheap run of the neighbouring tests."""
    torch.save(run_walk(Path()).state_dict(), "final.pt")


def fit() -> None:
    """The real command, with a real task."""
    run_command(["fit", f"--config={CONFIG}"])


def attempt(command: Callable[[], None], folder: Path, fate: Callable[[], None]) -> int:
    """Run the command in a child with a fate; return its status as ``waitpid`` gives it."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    status = 1
    try:
        os.chdir(folder)
        log = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        if command is fit:  # half of the time would go to parsing
            inner = ResumingCLI.fit

            def fated(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # those of fit
                fate()
                inner(*args, **kwargs)

            ResumingCLI.fit = fated  # type: ignore[method-assign]
        else:
            fate()
        command()
        status = 0
    except BaseException as error:  # noqa: BLE001  # a child must never return into the loop
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
    finally:
        sys.setprofile(None)
        os._exit(status)


def main(name: str, folder: Path, seed: int, kills: int) -> None:
    """Make runs, each killed again and again until one attempt is through, until enough died."""
    command = {"walk": walk, "fit": fit}[name]
    draw, deaths, begun = random.Random(seed), 0, time.monotonic()
    succeed(attempt(command, new(folder / "whole"), lambda: None))
    whole_s = time.monotonic() - begun
    for number in itertools.count():
        here = new(folder / f"killed{number}")
        for tries in itertools.count():
            calls, seconds = draw.randrange(1, CALLS[name]), draw.uniform(0, whole_s)
            fates = [lambda n=calls: die_in_call(n), lambda t=seconds: die_after(t)]
            last = deaths >= kills or tries >= MOST
            status = attempt(command, here, (lambda: None) if last else fates[tries % 2])
            if status != signal.SIGKILL:
                break
            deaths += 1
        succeed(status)
        if deaths >= kills:
            break
    print(deaths, flush=True)  # noqa: T201  # what the test reads


def new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def succeed(status: int) -> None:
    if status:
        sys.exit(f"an attempt ended with {os.waitstatus_to_exitcode(status)}; see its log.txt")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
