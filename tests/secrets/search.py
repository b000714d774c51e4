"""Look for bytes in files, however the files hold them."""

import base64
import binascii
import io
import re
import sqlite3
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from tests.secrets.canary import BLOCK

Piece = tuple[str, bytes]
_PNG = b"\x89PNG\r\n\x1a\n"
_URI = re.compile(rb"data:image/\w+;base64,([A-Za-z0-9+/=]+)")
_SQLITE = b"SQLite format 3\0"


def pixel_needles() -> dict[str, bytes]:
    """Rows of the canary block as somebody may have stored them."""
    found = {}
    for row in range(0, BLOCK.shape[1], 5):
        pixels = BLOCK[:, row]
        found[f"row {row}, interleaved"] = pixels.T.contiguous().numpy().tobytes()
        for channel, values in enumerate(pixels):
            name = f"row {row}, channel {channel}"
            numbers = values.tolist()
            found[f"{name}, uint8"] = values.numpy().tobytes()
            found[f"{name}, JSON"] = ", ".join(map(str, numbers)).encode()
            for dtype in (torch.float16, torch.float32, torch.float64):
                scaled = values.to(dtype).div(255).numpy().tobytes()
                found[f"{name}, {dtype}"] = scaled
    return found


def key_needles(key: str) -> dict[str, bytes]:
    """A key, whole, encoded and in parts."""
    secret = key.rpartition("-")[2]
    parts = {f"part {at}": secret[at : at + 12].encode() for at in range(0, len(secret) - 11, 4)}
    coded = base64.b64encode(key.encode()).rstrip(b"=")
    return {"whole": key.encode(), "base64": coded, "backwards": key[::-1].encode(), **parts}


def hits(pieces: Iterable[Piece], needles: Mapping[str, bytes]) -> list[str]:
    """Say where which needle was found."""
    return [
        f"{where}: {name}"
        for where, data in pieces
        for name, needle in needles.items()
        if needle in data
    ]


def in_folder(folder: Path) -> Iterator[Piece]:
    """Everything below a folder, and what is packed in it; names of files too."""
    for path in sorted(folder.rglob("*")):
        yield f"name of {path}", str(path.relative_to(folder)).encode()
        if path.is_file():
            data = path.read_bytes()
            yield from unpacked(str(path), data)
            if data.startswith(_SQLITE):
                yield from rows(path)


def unpacked(where: str, data: bytes) -> Iterator[Piece]:
    """Some bytes, the members of an archive, the pixels of pictures, whatever they are within."""
    yield where, data
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield from unpacked(f"{where}!{name}", archive.read(name))
    for uri in _URI.finditer(data):
        try:
            decoded = base64.b64decode(uri[1])
        except binascii.Error:  # cut off, as the last of a request that was
            continue
        yield from unpacked(f"{where}@{uri.start()}", decoded)
    for at in (match.start() for match in re.finditer(re.escape(_PNG), data)):
        picture = decoded_picture(data[at:])
        yield f"{where}@{at}: pixels", picture.tobytes()
        yield f"{where}@{at}: channels", picture.transpose(2, 0, 1).tobytes()


def decoded_picture(data: bytes) -> np.ndarray:
    """A picture, uint8 ``(H, W, 3)``; what follows it is left alone."""
    with Image.open(io.BytesIO(data)) as image:
        return np.array(image.convert("RGB"))


def pictures(body: bytes) -> list[Tensor]:
    """The frames that a request holds, uint8 ``(3, H, W)``."""
    found = [decoded_picture(base64.b64decode(uri[1])) for uri in _URI.finditer(body)]
    return [torch.from_numpy(picture).permute(2, 0, 1) for picture in found]


def rows(path: Path) -> Iterator[Piece]:
    """Every value of a database, those too that are only in its log so far."""
    with closing(sqlite3.connect(path)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master")]
        dumped = "\n".join(database.iterdump())
        yield f"{path}: {', '.join(tables)}", dumped.encode()
