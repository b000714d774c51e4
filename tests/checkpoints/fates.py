"""When and where a process is killed: after a time, or in a call of a phase of its run."""

import itertools
import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any

from lightning.pytorch.loops.evaluation_loop import _EvaluationLoop

from blackbox_anon.checkpoints import AtomicCheckpointIO, ExactResume
from blackbox_anon.resuming_cli import ResumingCLI
from blackbox_anon.tasks import BlackBoxAnonymization

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
    """Write down how long parsing takes, how many calls each phase makes, and what is imported."""
    begun, total = time.monotonic(), itertools.count()
    entered: dict[str, int] = {}
    calls: dict[str, list[int]] = {phase: [] for phase in PHASES}

    def count(frame: FrameType, event: str, argument: object) -> None:
        del frame, event, argument
        next(total)

    for phase in PHASES:
        around(
            phase,
            lambda p=phase: entered.update({p: next(total)}),  # type: ignore[misc]  # each its own
            lambda p=phase: calls[p].append(next(total) - entered[p]),  # type: ignore[misc]  # the same
        )
    fit = ResumingCLI.fit

    def counted(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # those of fit
        parsing_s = time.monotonic() - begun
        sys.setprofile(count)
        fit(*args, **kwargs)
        sys.setprofile(None)
        counted = {"parsing_s": parsing_s, "calls": calls, "modules": sorted(sys.modules)}
        file.write_text(json.dumps(counted))

    ResumingCLI.fit = counted  # type: ignore[method-assign]


def die(folder: Path) -> None:
    """Say in a file there where the main thread is, and be killed."""
    phase = where(sys._current_frames()[threading.main_thread().ident or 0])
    (folder / "died").write_text(phase)
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
    left, folder = itertools.count(number - 1, -1), Path.cwd()

    def count(frame: FrameType, event: str, argument: object) -> None:
        del frame, event, argument
        if next(left) == 0:
            die(folder)

    sys.setprofile(count)


def die_in_phase(phase: str, occurrence: int, number: int) -> None:
    """Die in the ``number``-th call of a phase, the ``occurrence``-th time that it comes."""
    times = itertools.count()

    def entered() -> None:
        if next(times) == occurrence:
            die_in_call(number)

    around(phase, entered, lambda: None)


def die_after(seconds: float) -> None:
    timer = threading.Timer(seconds, die, [Path.cwd()])  # parsing a config changes the folder
    timer.daemon = True
    timer.start()


class Fates:
    """What becomes of one attempt after the other.

    Args:
        seed: Of all that is drawn.
        parsing_s: How long parsing takes, in seconds.
        calls: How many calls each phase makes, each time.
        fit_s: How long a run takes that goes on from what was parsed, in seconds.
    """

    def __init__(
        self, seed: int, *, parsing_s: float, calls: dict[str, list[int]], fit_s: float
    ) -> None:
        self.draw, self.number = random.Random(seed), itertools.count()
        self.calls, self.parsing_s, self.fit_s = calls, parsing_s, fit_s

    def next(self) -> tuple[str, Callable[[], None]]:
        """Return the phase, empty for any, and what to do when the attempt begins."""
        turn, by_time = divmod(next(self.number), 2)
        phase = "" if by_time else (PARSING, *self.calls)[turn % (1 + len(self.calls))]
        if phase in ("", PARSING):
            seconds = self.draw.uniform(0, self.parsing_s if phase else self.fit_s)
            return phase, lambda: die_after(seconds)
        occurrence = self.draw.randrange(len(self.calls[phase]))
        call = self.draw.randrange(1, self.calls[phase][occurrence])
        return phase, lambda: die_in_phase(phase, occurrence, call)
