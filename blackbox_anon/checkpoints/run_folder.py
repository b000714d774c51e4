"""The folder in which one run keeps what it needs to go on."""

import json
import os
import re
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities import rank_zero_warn

from blackbox_anon.checkpoints.atomic import remove_leftovers, write_atomically
from blackbox_anon.checkpoints.checkpoint_io import check_whole
from blackbox_anon.errors import CheckpointError

_RECORD, _LOCK = "run.json", "lock"
_NAME = re.compile(r"resume-step=(\d+)\.ckpt")


class RunFolder:
    """Checkpoints by step, and ``run.json``, which says whose they are.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    def checkpoint(self, step: int) -> Path:
        """Return the name of a checkpoint after ``step`` steps."""
        return self.path / f"resume-step={step:08d}.ckpt"

    def checkpoints(self) -> list[Path]:
        """List the checkpoints, newest first."""
        found = self.path.iterdir() if self.path.is_dir() else ()
        return sorted((path for path in found if _NAME.fullmatch(path.name)), reverse=True)

    def newest(self) -> Path | None:
        """Return the newest checkpoint that is whole; warn about every newer one that is not.

        Raises:
            CheckpointError: If there are checkpoints and none is whole.
        """
        refused: list[str] = []
        for path in self.checkpoints():
            try:
                check_whole(path)
            except CheckpointError as error:
                refused.append(str(error))
            else:
                for reason in refused:
                    rank_zero_warn(f"{reason}; the run goes on from the older {path}")
                return path
        if refused:
            msg = "; ".join(refused)
            raise CheckpointError(
                f"no checkpoint is left to go on from ({msg}). `--fresh` starts anew"
            )
        return None

    def keep(self, count: int) -> None:
        """Remove all but the ``count`` newest checkpoints."""
        for path in self.checkpoints()[count:]:
            path.unlink(missing_ok=True)

    def record(self) -> dict[str, Any] | None:
        """Read ``run.json``; ``None`` where there is none.

        Raises:
            CheckpointError: If it is something else.
        """
        path = self.path / _RECORD
        if not path.is_file():
            return None
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise CheckpointError(f"{path} must be a run's record; it is not: {error}") from error
        return found

    def write_record(self, record: dict[str, Any]) -> None:
        """Replace ``run.json``."""
        text = json.dumps(record, indent=2, sort_keys=True)
        write_atomically(self.path / _RECORD, text.encode())

    def clear(self) -> None:
        """Remove the run's checkpoints and its record."""
        (self.path / _RECORD).unlink(missing_ok=True)
        self.keep(0)
        remove_leftovers(self.path)

    def lock(self) -> None:
        """Keep a second process from continuing the same run; the system unlocks at any end.

        Raises:
            CheckpointError: If another process has it.
        """
        if os.name == "nt" or self._lock is not None:
            return
        import fcntl  # not on Windows

        self.path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # unlike flock not inherited
        except OSError as error:
            os.close(descriptor)
            msg = f"the same run is going on in another process; it holds {self.path / _LOCK}"
            raise CheckpointError(msg) from error
        self._lock = descriptor

    def unlock(self) -> None:
        """Let others have the run."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
