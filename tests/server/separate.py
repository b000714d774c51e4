"""The command ``mllm-server`` as a process of its own."""

import json
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from blackbox_anon.server import Entry


@dataclass(frozen=True, kw_only=True)
class Separate:
    """A server in another process.

    Attributes:
        base_url: What a client is given.
        journal: Where it writes down each request.
    """

    base_url: str
    journal: Path

    def entries(self) -> list[Entry]:
        """Every request so far."""
        if not self.journal.exists():
            return []
        return [Entry(**json.loads(line)) for line in self.journal.read_text().splitlines()]

    def paid(self) -> list[str]:
        """SHA-256 of the body of every paid request so far, in order."""
        return [entry.sha256 for entry in self.entries() if entry.paid]


@contextmanager
def served(
    folder: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator[Separate]:
    """Serve the embedded model with a journal in ``folder`` until the context is left."""
    journal = folder / "journal.jsonl"
    command = [sys.executable, "-m", "blackbox_anon", "mllm-server", f"--journal={journal}"]
    with (
        (folder / "server.txt").open("w") as errors,
        subprocess.Popen(
            [*command, *arguments],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            found = (re.match(r"http\S+/v1", line) for line in process.stdout)
            base_url = next((match[0] for match in found if match), None)
            assert base_url is not None, (folder / "server.txt").read_text()
            yield Separate(base_url=base_url, journal=journal)
        finally:
            process.send_signal(signal.SIGINT)


def in_flight(base_url: str) -> int:
    """How many requests a server is at."""
    with urllib.request.urlopen(base_url.removesuffix("/v1") + "/__stats") as reply:
        count = json.load(reply)["in_flight"]
    assert isinstance(count, int)
    return count
