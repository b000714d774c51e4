"""Every byte that clients sent, on disk: what a search for a secret must find, if it leaked."""

import asyncio
import itertools
import os
from hashlib import sha256
from pathlib import Path
from typing import IO

from aiohttp import web
from typing_extensions import override

_numbers = itertools.count()


def record_body(folder: Path, body: bytes) -> None:
    """Write one request's body, decompressed and in one piece, to ``bodies/<its SHA-256>``."""
    path = folder / "bodies" / sha256(body).hexdigest()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)


class RecordingProtocol(asyncio.Protocol):
    """Writes what comes in over one connection to a file, and passes everything on.

    The file, ``connections/<process>-<number>``, holds the bytes as they came: request lines,
    headers with their keys, bodies, and what was no HTTP at all.

    Args:
        inner: Serves the connection.
        folder: Where to write.
    """

    def __init__(self, inner: web.RequestHandler, folder: Path) -> None:
        self._inner = inner
        path = folder / "connections" / f"{os.getpid()}-{next(_numbers):06d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file: IO[bytes] | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._file = self._path.open("xb", buffering=0)
        self._inner.connection_made(transport)

    @override
    def data_received(self, data: bytes) -> None:
        if self._file is not None:
            self._file.write(data)
        self._inner.data_received(data)

    @override
    def eof_received(self) -> bool | None:
        self._inner.eof_received()
        return None

    @override
    def connection_lost(self, exc: BaseException | None) -> None:
        if self._file is not None:
            self._file.close()
        self._inner.connection_lost(exc)

    @override
    def pause_writing(self) -> None:
        self._inner.pause_writing()

    @override
    def resume_writing(self) -> None:
        self._inner.resume_writing()
