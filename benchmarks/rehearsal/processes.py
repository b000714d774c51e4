"""A fit and a server as a user starts them: commands, each a process of its own."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.rehearsal.configs import Config, write_config

COMMAND = [sys.executable, "-W", "ignore", "-m", "blackbox_anon"]
_DONE = "seconds.txt"  # written when a run is through


@dataclass(kw_only=True)
class Served:
    """A server in another process.

    Attributes:
        base_url: What clients are given.
        stats: Its sums, once it has stopped.
    """

    base_url: str
    stats: dict[str, Any] = field(default_factory=dict)


@contextmanager
def serving(log: Path, *arguments: object, threads: int = 1) -> Iterator[Served]:
    """Run ``blackbox-anon mllm-server`` on a free port while the context is open.

    Args:
        log: File for what it says on stderr.
        arguments: After ``mllm-server``.
        threads: Of its model.

    Raises:
        RuntimeError: If it does not start.
    """
    command = [*COMMAND, "mllm-server", *(str(argument) for argument in arguments)]
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("w", encoding="utf-8") as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=_with(threads)
        ) as process,
    ):
        assert process.stdout is not None
        urls = (re.match(r"http\S+/v1", line) for line in process.stdout)
        found = next((url[0] for url in urls if url), None)
        if found is None:
            raise RuntimeError(f"the server did not start; see {log}")
        served = Served(base_url=found)
        try:
            yield served
        finally:
            process.send_signal(signal.SIGTERM)
            said = process.communicate()[0].splitlines()
    served.stats = json.loads(said[-1])


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A run that is through.

    Attributes:
        folder: Where it ran; the config's paths are relative to it.
        logs: Its ``version_0``.
        seconds: What it took, start of the process included.
    """

    folder: Path
    logs: Path
    seconds: float

    @property
    def history(self) -> list[dict[str, Any]]:
        """One entry per step."""
        lines = (self.logs / "history.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    @property
    def sha256(self) -> str:
        """Of the exported weights, every bit of them; a card has it."""
        card = json.loads((self.logs / "anonymizer" / "card.json").read_text(encoding="utf-8"))
        return str(card["sha256"])


def fit(config: Config, folder: Path, *, threads: int = 1) -> Fitted:
    """Run ``blackbox-anon fit`` in a folder of its own; what it says is in ``log.txt`` there.

    Raises:
        RuntimeError: If it fails.
    """
    path, started = write_config(config, folder), time.monotonic()
    with (folder / "log.txt").open("w", encoding="utf-8") as log:
        done = subprocess.run(
            [*COMMAND, "fit", f"--config={path.name}", "--trainer.enable_progress_bar=false"],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=_with(threads),
            check=False,
        )
    if done.returncode != 0:
        raise RuntimeError(f"fit ended with {done.returncode}; see {folder / 'log.txt'}")
    (folder / _DONE).write_text(f"{time.monotonic() - started:.1f}", encoding="ascii")
    return _fitted(folder)


def found(folder: Path) -> Fitted | None:
    """Return the run that was made in a folder, if it is through."""
    return _fitted(folder) if (folder / _DONE).exists() else None


def _fitted(folder: Path) -> Fitted:
    [logs] = folder.glob("runs/*/version_*")
    seconds = float((folder / _DONE).read_text(encoding="ascii"))
    return Fitted(folder=folder, logs=logs, seconds=seconds)


def _with(threads: int) -> dict[str, str]:
    """Equal bits want equal thread counts, whatever the machine has."""
    return {**os.environ, "OMP_NUM_THREADS": str(threads)}
