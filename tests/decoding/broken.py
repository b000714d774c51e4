"""Files that a folder of downloads may hold: broken ones with the reason, odd ones to be read."""

import os
import random
import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import av
import numpy as np
from PIL import Image

from tests.decoding.media import pictures, write, write_sound

NUM_FRAMES = 24

Make = Callable[[Path], object]


def _bytes(content: bytes) -> Make:
    return lambda path: path.write_bytes(content)


def _jpeg() -> bytes:
    file = BytesIO()
    Image.fromarray(pictures(1)[0]).save(file, "JPEG")
    return file.getvalue()


def _cut(share: float, suffix: str, **how: object) -> Make:
    """A file that ends early."""

    def make(path: Path) -> None:
        whole = _whole(path.with_name(f"whole_{path.stem}.{suffix}"), **how)
        content = whole.read_bytes()
        whole.unlink()
        path.write_bytes(content[: int(share * len(content))])

    return make


def _renamed(suffix: str, **how: object) -> Make:
    return lambda path: _whole(path.with_name(f"whole_{path.stem}.{suffix}"), **how).rename(path)


def _whole(path: Path, **how: object) -> Path:
    return write(path, pictures(NUM_FRAMES), keyframes=3, **how)  # type: ignore[arg-type]  # keywords of write


def _scratched(suffix: str, codec: str) -> Make:
    """Bits flipped within the coded pictures, headers left whole."""

    def make(path: Path) -> None:
        whole = _whole(path.with_name(f"whole_{path.stem}.{suffix}"), codec=codec)
        with av.open(str(whole)) as container:
            packets = [p for p in container.demux(video=0) if p.size > 200]
            places = [(p.pos + p.size // 2, p.pos + p.size - 8) for p in packets[2:6]]
        content = bytearray(whole.read_bytes())
        dice = random.Random(0)
        for start, stop in places:
            for position in range(start, stop, 7):
                content[position] ^= 1 << dice.randrange(8)
        whole.unlink()
        path.write_bytes(content)

    return make


def _huge_header(path: Path) -> None:
    """Raw video whose header claims 60,000 pixels a side."""
    write(path, pictures(2), codec="rawvideo", pix_fmt="yuv420p")
    content = bytearray(path.read_bytes())
    at = content.find(b"strf") + 8
    content[at + 4 : at + 12] = struct.pack("<ii", 60_000, 60_000)
    path.write_bytes(content)


def _huge_picture(path: Path) -> None:
    """PNG frames that claim 50,000 pixels a side."""
    write(path, pictures(2), codec="png", pix_fmt="rgb24")
    content = bytearray(path.read_bytes())
    at = content.find(b"IHDR") + 4
    while at > 3:
        content[at : at + 8] = struct.pack(">II", 50_000, 50_000)
        at = content.find(b"IHDR", at) + 4
    path.write_bytes(content)


def _no_frames(path: Path) -> None:
    with av.open(str(path), "w", format="avi") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt = 96, 144, "yuv420p"
        container.start_encoding()


NOISE = np.random.default_rng(0).integers(0, 256, 4096, dtype=np.uint8).tobytes()

LOST = "truncated|marked corrupt"  # the last packet, if the cut went through it

BROKEN: dict[str, tuple[Make, str]] = {  # how it is made, and what the error says
    "zero_bytes.avi": (_bytes(b""), "Invalid data|EOF|End of file"),
    "zero_bytes.mp4": (_bytes(b""), "Invalid data|EOF|End of file"),
    "one_byte.mp4": (_bytes(b"\0"), "Invalid data|EOF|End of file"),
    "zeros.mkv": (_bytes(bytes(4096)), "Invalid data"),
    "noise.avi": (_bytes(NOISE), "Invalid data"),
    "text.mp4": (_bytes(b"not a video\n" * 50), "Invalid data|no video stream"),
    "page.mp4": (_bytes(b"<!doctype html><title>404</title>" * 20), "Invalid data"),
    "archive.mov": (_bytes(b"PK\x03\x04" + NOISE), "Invalid data"),
    "photograph.mp4": (_bytes(_jpeg()), "expected a video, found an image"),
    "photograph.avi": (_bytes(_jpeg()), "expected a video, found an image"),
    "header_only.avi": (_cut(0.02, "avi"), "Invalid data|no frame|truncated|End of file"),
    "cut_10.avi": (_cut(0.10, "avi"), f"{LOST}|Invalid data"),
    "cut_50.avi": (_cut(0.50, "avi"), LOST),
    "cut_90.avi": (_cut(0.90, "avi"), LOST),
    "cut_b_frames.avi": (_cut(0.60, "avi", b_frames=2), LOST),
    "cut.mp4": (_cut(0.50, "mp4"), "Invalid data"),
    "cut_faststart.mp4": (
        _cut(0.60, "mp4", container_options={"movflags": "faststart"}),
        "truncated",
    ),
    "cut.mov": (_cut(0.90, "mov"), "Invalid data|no video stream"),
    "cut.mkv": (_cut(0.60, "mkv"), "truncated"),
    "sound.mp4": (write_sound, "no video stream"),
    "sound.avi": (lambda path: write_sound(path.with_suffix(".wav")).rename(path), "no video"),
    "scratched.avi": (_scratched("avi", "mpeg4"), "damaged|Invalid data"),
    "scratched.mp4": (_scratched("mp4", "libx264"), "damaged|Invalid data"),
    "huge_header.avi": (_huge_header, "Invalid|Cannot allocate|too large|no frame"),
    "huge_picture.avi": (_huge_picture, "Invalid|damaged|Cannot allocate|no frame"),
    "no_frames.avi": (_no_frames, "no frame|Invalid data|truncated"),
    "folder.mp4": (lambda path: path.mkdir(), "found a folder"),
    "missing.mp4": (lambda _: None, "No such file"),
    "dangling.mp4": (lambda path: path.symlink_to("nowhere.mp4"), "No such file"),
    "waits.avi": (lambda path: os.mkfifo(path), "time limit"),
}

VFR_TIMES = [i * 6 + (i % 3) * 2 + 30 * (i > 9) for i in range(NUM_FRAMES)]

ODD: dict[str, tuple[Make, tuple[int, int, int]]] = {  # and its true frames, height and width
    "one_frame.mp4": (lambda path: write(path, pictures(1)), (1, 96, 144)),
    "one_frame.avi": (lambda path: write(path, pictures(1)), (1, 96, 144)),
    "one_pixel.avi": (
        lambda path: write(path, pictures(5, height=1, width=1), codec="png", pix_fmt="rgb24"),
        (5, 1, 1),
    ),
    "mp4_inside.avi": (_renamed("mp4"), (NUM_FRAMES, 96, 144)),
    "avi_inside.mp4": (_renamed("avi"), (NUM_FRAMES, 96, 144)),
    "variable_rate.mp4": (
        lambda path: write(path, pictures(NUM_FRAMES), times=VFR_TIMES, b_frames=2),
        (NUM_FRAMES, 96, 144),
    ),
    "turned.mp4": (lambda path: write(path, pictures(6), degrees=90), (6, 144, 96)),
    "upside_down.mov": (lambda path: write(path, pictures(6), degrees=180), (6, 96, 144)),
    "odd_sides.avi": (
        lambda path: write(path, pictures(6, height=33, width=45)),
        (6, 33, 45),
    ),
}
