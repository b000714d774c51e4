"""What happened, one JSON line a request; it outlives the server."""

import json
import logging
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from blackbox_anon.errors import BlackboxAnonError
from blackbox_anon.server.schedule import FaultKind

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One received request, as decided before a byte of the reply left.

    Attributes:
        time: Seconds since 1970.
        sha256: Of the body.
        attempt: Which attempt at this body it was, from 0; ``None``: refused at the door.
        status: HTTP status of the reply.
        error: Code or type of the error in the reply's body.
        fault: The injected fault.
        paid: Whether a service would bill it: the model answered, whatever then came of it.
        prompt_tokens: Billed for the prompt and the images.
        completion_tokens: Billed for the answer.
    """

    time: float
    sha256: str
    attempt: int | None = None
    status: int = 200
    error: str | None = None
    fault: FaultKind | None = None
    paid: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Journal:
    """Appends entries to a file, and reads those of earlier runs.

    A line that a killed server left unfinished is dropped, with a warning.

    Args:
        path: The file; made with its folder where missing. ``None``: nothing is kept.
        fsync: Force every line to the disk, so it also outlives the machine's power.

    Raises:
        BlackboxAnonError: If a line in the file is no entry.
    """

    def __init__(self, path: Path | None, *, fsync: bool = False) -> None:
        self._fsync = fsync
        self.earlier: list[Entry] = [] if path is None else _read(path)
        self._file = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab")

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    def append(self, entry: Entry) -> None:
        """Write one entry; once this returns, the operating system has it."""
        if self._file is None:
            return
        self._file.write(json.dumps(asdict(entry)).encode() + b"\n")
        self._file.flush()
        if self._fsync:
            os.fsync(self._file.fileno())


def _read(path: Path) -> list[Entry]:
    if not path.exists():
        return []
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        _log.warning("%s: dropped an unfinished last line of %d bytes", path, len(data) - whole)
        os.truncate(path, whole)
    return [
        _entry(path, number, line) for number, line in enumerate(data[:whole].splitlines(), start=1)
    ]


def _entry(path: Path, number: int, line: bytes) -> Entry:
    try:
        return Entry(**json.loads(line))
    except (ValueError, TypeError) as error:
        msg = f"`journal` must hold entries of this server; line {number} of {path} does not"
        raise BlackboxAnonError(msg) from error
