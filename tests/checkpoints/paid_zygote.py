"""Kill a ``fit`` that asks a service over HTTP, and give its command again, until it is through.

``python -m tests.checkpoints.paid_zygote FOLDER SEED KILLS BASE_URL JOURNAL`` imports and parses
once, which takes longer than the run, and forks a child per attempt that goes on from there.
FOLDER/whole is an uninterrupted run of the whole command, in which the Python calls of every phase
are counted, FOLDER/again one that goes on from what was parsed. In FOLDER/killed0 and so on every
other child dies after a random time, wherever it is; the rest in the middle of a Python call drawn
from a phase, each phase in turn: parsing (these are given the whole command), the preparation of a
run, a step, the writing of a checkpoint, a validation. After KILLS deaths nobody is killed any
more. Prints one JSON object a line, an :class:`Attempt`.
"""

import itertools
import json
import os
import random
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any

from lightning.pytorch.loops.evaluation_loop import _EvaluationLoop

from blackbox_anon.checkpoints import AtomicCheckpointIO, ExactResume
from blackbox_anon.lightning_cli import run as run_command
from blackbox_anon.resuming_cli import ResumingCLI
from blackbox_anon.tasks import BlackBoxAnonymization
from tests.checkpoints.zygote import MOST, attempt, new, succeed
from tests.server.separate import Separate, in_flight

ROOT = Path(__file__).parents[2]
CONFIGS = (ROOT / "configs" / "demo_service.yaml", Path(__file__).with_name("killed_service.yaml"))
BASE_URL = "--model.init_args.mllm" + 3 * ".init_args.mllm" + ".init_args.base_url"
PHASES: dict[str, tuple[type, str]] = {
    "preparation": (ExactResume, "begin"),
    "step": (BlackBoxAnonymization, "training_step"),
    "saving": (AtomicCheckpointIO, "save_checkpoint"),
    "validation": (_EvaluationLoop, "run"),
}
PARSING = "parsing"
PLACES = {
    "save_checkpoint": "saving",
    "evaluation_loop.py": "validation",
    "training_step": "step",
    "fit_loop.py": "between steps",
    "on_fit_end": "end",
    "fit": "preparation",
}
Calls = dict[str, list[int]]


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One process that was given the command.

    Attributes:
        folder: Where it worked.
        died: In which phase it was killed; empty if it got through.
        paid: Bodies that the service billed meanwhile, by SHA-256.
        kept: Answers that the cache has since.
    """

    folder: str
    died: str
    paid: list[str]
    kept: int


def around(phase: str, entered: Callable[[], None], left: Callable[[], None]) -> None:
    """Have something done whenever a phase begins and ends."""
    owner, name = PHASES[phase]
    inner = getattr(owner, name)

    @wraps(inner)
    def outer(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # those of the phase
        entered()
        try:
            return inner(*args, **kwargs)
        finally:
            left()

    setattr(owner, name, outer)


def count_calls(file: Path) -> None:
    """Write down, when training is over, how many Python calls each phase made each time."""
    total = itertools.count()
    begun: dict[str, int] = {}
    found: Calls = {phase: [] for phase in (PARSING, *PHASES)}

    def count(frame: FrameType, event: str, argument: object) -> None:
        del frame, event, argument
        next(total)

    for phase in PHASES:
        around(
            phase,
            lambda p=phase: begun.update({p: next(total)}),  # type: ignore[misc]  # each its own
            lambda p=phase: found[p].append(next(total) - begun[p]),  # type: ignore[misc]  # the same
        )
    fit = ResumingCLI.fit

    def counted(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # those of fit
        found[PARSING].append(next(total))
        fit(*args, **kwargs)
        sys.setprofile(None)
        file.write_text(json.dumps(found))

    ResumingCLI.fit = counted  # type: ignore[method-assign]
    sys.setprofile(count)


def die() -> None:
    """Say where the main thread is, and be killed."""
    Path("died").write_text(where(sys._current_frames()[threading.main_thread().ident or 0]))
    os.kill(os.getpid(), signal.SIGKILL)


def where(frame: FrameType | None) -> str:
    """Name the innermost phase of a thread."""
    while frame is not None:
        code = frame.f_code
        found = PLACES.get(code.co_name) or PLACES.get(Path(code.co_filename).name)
        if found is not None:
            return found
        frame = frame.f_back
    return PARSING


def die_in_call(number: int) -> None:
    """Die in the ``number``-th Python call from now."""
    left = itertools.count(number - 1, -1)

    def count(frame: FrameType, event: str, argument: object) -> None:
        del frame, event, argument
        if next(left) == 0:
            die()

    sys.setprofile(count)


def die_in_phase(phase: str, occurrence: int, number: int) -> None:
    if phase == PARSING:
        die_in_call(number)
        return
    times = itertools.count()

    def entered() -> None:
        if next(times) == occurrence:
            die_in_call(number)

    around(phase, entered, lambda: None)


def die_after(seconds: float) -> None:
    timer = threading.Timer(seconds, die)
    timer.daemon = True
    timer.start()


class Fates:
    """What becomes of one attempt after the other.

    Args:
        seed: Of all that is drawn.
        calls: How many calls each phase makes, each time.
        fit_s: How long a run takes that goes on from what was parsed, in seconds.
    """

    def __init__(self, seed: int, calls: Calls, fit_s: float) -> None:
        self.draw, self.calls, self.fit_s = random.Random(seed), calls, fit_s
        self.number = itertools.count()

    def next(self) -> tuple[str, Callable[[], None]]:
        """Return the phase, empty for any, and what to do when the attempt begins."""
        turn, by_time = divmod(next(self.number), 2)
        if by_time:
            seconds = self.draw.uniform(0, self.fit_s)
            return "", lambda: die_after(seconds)
        phase = list(self.calls)[turn % len(self.calls)]
        occurrence = self.draw.randrange(len(self.calls[phase]))
        call = self.draw.randrange(1, self.calls[phase][occurrence])
        return phase, lambda: die_in_phase(phase, occurrence, call)


class Runs:
    """Attempts at one service, one after the other.

    Args:
        service: What is asked.
        parsed: Goes on from what was parsed.
        whole: The command from its beginning.
    """

    def __init__(
        self, service: Separate, parsed: Callable[[], None], whole: Callable[[], None]
    ) -> None:
        self.service, self.parsed, self.whole = service, parsed, whole

    def attempt(self, folder: Path, fate: Callable[[], None], *, whole: bool = False) -> bool:
        """Give the command once; print what came of it, and return whether it was killed."""
        before = len(self.service.paid())
        (folder / "died").unlink(missing_ok=True)
        status = attempt(self.whole if whole else self.parsed, folder, fate)
        if status != signal.SIGKILL:
            succeed(status)
        while in_flight(self.service.base_url):  # what the dead asked is answered, and billed
            time.sleep(0.01)
        found = Attempt(
            folder=str(folder),
            died=(folder / "died").read_text() if status else "",
            paid=self.service.paid()[before:],
            kept=kept(folder / "runs" / "demo_service" / "answers.db"),
        )
        print(json.dumps(asdict(found)), flush=True)  # noqa: T201  # what the test reads
        return status != 0


def kept(path: Path) -> int:
    """The number of answers in a cache; no thread is left behind, as the next child is forked."""
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path)) as cache:
        made = cache.execute("SELECT 1 FROM sqlite_master WHERE name = 'answers'").fetchone()
        [count] = cache.execute("SELECT count(*) FROM answers").fetchone() if made else [0]
    assert isinstance(count, int)
    return count


def kill(runs: Runs, folder: Path, seed: int, kills: int) -> None:
    """Make runs, each killed again and again until one attempt is through, until enough died."""
    runs.attempt(new(folder / "whole"), lambda: count_calls(Path("calls.json")), whole=True)
    begun = time.monotonic()
    runs.attempt(new(folder / "again"), lambda: None)
    fit_s = time.monotonic() - begun
    fates = Fates(seed, json.loads((folder / "whole" / "calls.json").read_text()), fit_s)
    deaths = 0
    for number in itertools.count():
        here = new(folder / f"killed{number}")
        for tries in itertools.count():
            last = deaths >= kills or tries >= MOST
            phase, fate = ("", lambda: None) if last else fates.next()
            if not runs.attempt(here, fate, whole=phase == PARSING):
                break
            deaths += 1
        if deaths >= kills:
            break


def main(folder: Path, seed: int, kills: int, service: Separate) -> None:
    configs = [f"--config={path}" for path in CONFIGS]
    command = ["fit", *configs, f"{BASE_URL}={service.base_url}"]
    fit = ResumingCLI.fit

    def whole() -> None:
        run_command(command)

    def forking(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # those of fit
        ResumingCLI.fit = fit  # type: ignore[method-assign]
        assert threading.active_count() == 1
        kill(Runs(service, lambda: fit(*args, **kwargs), whole), folder, seed, kills)

    ResumingCLI.fit = forking  # type: ignore[method-assign]
    run_command(command)


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        int(sys.argv[2]),
        int(sys.argv[3]),
        Separate(base_url=sys.argv[4], journal=Path(sys.argv[5])),
    )
