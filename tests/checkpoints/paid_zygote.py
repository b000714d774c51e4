"""Kill a ``fit`` that asks a service over HTTP, and give its command again, until it is through.

``python -m tests.checkpoints.paid_zygote FOLDER SEED KILLS BASE_URL JOURNAL`` imports and parses
once, which takes longer than the run, and forks a child per attempt that goes on from there.
FOLDER/whole is an uninterrupted run of the whole command, in which the calls that every phase makes
are counted, FOLDER/again one that goes on from what was parsed. In FOLDER/killed0 and so on every
other child dies after a random time, wherever it is; the rest in the middle of a Python call drawn
from a phase, each phase in turn: parsing (these are given the whole command), the preparation of a
run, a step, the writing of a checkpoint, a validation. After KILLS deaths nobody is killed any
more. Prints one JSON object a line, an :class:`Attempt`.
"""

import importlib
import itertools
import json
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from blackbox_anon.lightning_cli import run as run_command
from blackbox_anon.resuming_cli import ResumingCLI
from tests.checkpoints.fates import PARSING, Fates, count_calls
from tests.checkpoints.zygote import MOST, attempt, new, succeed
from tests.server.separate import Separate, in_flight

ROOT = Path(__file__).parents[2]
CONFIGS = (ROOT / "configs" / "demo_service.yaml", Path(__file__).with_name("killed_service.yaml"))
BASE_URL = "--model.init_args.mllm" + 3 * ".init_args.mllm" + ".init_args.base_url"


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
    counted = json.loads((folder / "whole" / "calls.json").read_text())
    import_all(counted.pop("modules"))
    begun = time.monotonic()
    runs.attempt(new(folder / "again"), lambda: None)
    fit_s = time.monotonic() - begun
    fates = Fates(seed, **counted, fit_s=fit_s)
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


def import_all(names: list[str]) -> None:
    """Import what a run imports on its way, which takes longer than its steps."""
    for name in names:
        with suppress(ImportError):  # a module that was made, not found
            importlib.import_module(name)
    assert threading.active_count() == 1


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
