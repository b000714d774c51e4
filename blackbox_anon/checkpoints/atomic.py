"""Files that are there as a whole or not at all, whenever the process or the machine stops."""

import hashlib
import os
from pathlib import Path

from blackbox_anon.errors import CheckpointError

_PREFIX, _SUFFIX = ".", ".partial"


def write_atomically(path: Path, content: bytes | memoryview) -> None:
    """Write a file: under a temporary name, to the disk, read back, and only then renamed.

    Args:
        path: The file; its folder is made. What was there before stays until the rename.
        content: What it will hold.

    Raises:
        CheckpointError: If what is read back is something else than what was written.
        OSError: If the file cannot be written, as on a full disk; ``path`` is as it was before.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{_PREFIX}{path.name}{_SUFFIX}")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if _digest(temporary) != hashlib.sha256(content).hexdigest():
        raise CheckpointError(f"{path} was written, but something else was read back")
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk: a rename is lost in a power cut until then."""
    if os.name == "nt":  # it cannot open folders
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> list[Path]:
    """Remove what killed writes left in a folder; return the files."""
    found = sorted(folder.glob(f"{_PREFIX}*{_SUFFIX}"))
    for path in found:
        path.unlink(missing_ok=True)
    return found


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
