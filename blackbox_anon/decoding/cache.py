"""Decoded frames on disk, for epochs after the first.

An entry's name is a hash of what decides its content: the reader's settings, the frame rule, and
the file's path, size and time of change. Hashing the file's bytes instead would cost as much as
reading it, on every epoch. A file that is replaced within one clock tick of its file system by
another of equal size, under the same path, would be missed.
"""

import hashlib
import os
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

MAGIC = b"BBACLIP1"
HEADER = len(MAGIC) + 4 * 8 + 8  # magic, four sizes, checksum


class FrameCache:
    """Arrays ``(T, 3, H, W)``, uint8, one file each, mapped into memory when read.

    Workers and processes may share the folder: an entry appears whole or not at all, and a
    damaged one is replaced. Nothing is ever deleted; remove the folder to free the disk.

    Args:
        root: The folder; made at the first entry.
        settings: What else than the file decides the frames.
    """

    def __init__(self, root: str | Path, settings: str) -> None:
        self.root = Path(root)
        self.settings = settings

    def get(self, path: str, make: Callable[[], np.ndarray]) -> np.ndarray:
        """The frames of a file, from the cache or made and kept.

        Args:
            path: The file.
            make: Decodes it.

        Returns:
            Shape ``(T, 3, H, W)``, writable without changing the entry.
        """
        try:
            state = os.stat(path)  # noqa: PTH116  # a third of Path's cost, once per clip
        except OSError:
            return make()  # which says what is wrong
        entry = self._entry(f"{os.path.abspath(path)}\n{state.st_size}\n{state.st_mtime_ns}")  # noqa: PTH100  # Path.resolve would follow links
        frames = read_entry(entry)
        if frames is None:
            frames = make()
            write_entry(entry, frames)
        return frames

    def _entry(self, file: str) -> Path:
        name = hashlib.sha256(f"{self.settings}\n{file}".encode(errors="surrogateescape"))
        digest = name.hexdigest()
        return self.root / digest[:2] / f"{digest[2:40]}.frames"


def read_entry(entry: Path) -> np.ndarray | None:
    """Map an entry.

    Args:
        entry: Its file.

    Returns:
        The frames; ``None`` if there is no entry or it is damaged.
    """
    try:
        data = np.memmap(entry, np.uint8, mode="c")  # copy on write: pages are shared until then
    except (OSError, ValueError):  # missing, or empty
        return None
    header = data[:HEADER].tobytes()
    shape = tuple(np.frombuffer(header[len(MAGIC) : -8], np.int64).tolist()) if header else ()
    body = data[HEADER:]
    whole = (
        header[: len(MAGIC)] == MAGIC
        and len(header) == HEADER
        and body.size == int(np.prod(shape))
        and int.from_bytes(header[-8:], "little") == zlib.crc32(body.data)
    )
    return np.asarray(body).reshape(shape) if whole else None


def write_entry(entry: Path, frames: np.ndarray) -> None:
    """Write an entry under a name of its own and rename it once it is whole.

    Args:
        entry: Its file.
        frames: Shape ``(T, 3, H, W)``, uint8.
    """
    body = np.ascontiguousarray(frames)
    entry.parent.mkdir(parents=True, exist_ok=True)
    number, partial = tempfile.mkstemp(dir=entry.parent, suffix=".partial")
    try:
        with os.fdopen(number, "wb") as file:
            file.write(MAGIC + np.array(body.shape, np.int64).tobytes())
            file.write(zlib.crc32(body.data).to_bytes(8, "little"))
            file.write(body.data)
        Path(partial).replace(entry)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
