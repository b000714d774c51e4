"""What is odd about a file that can be read."""

from itertools import pairwise
from pathlib import Path
from statistics import median

from PIL import Image

from blackbox_anon.datasets.folder import SUFFIXES
from blackbox_anon.decoders.display import upright
from blackbox_anon.decoders.errors import DecodingError
from blackbox_anon.decoders.video_file import FAILURES, VideoFile

FORMATS = {
    ".avi": "avi",
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
    ".mpg": "mpeg",
    ".mpeg": "mpeg",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".png": "png",
    ".bmp": "bmp",
    ".webp": "webp",
    ".tif": "tiff",
    ".tiff": "tiff",
}
"""What a suffix promises; FFmpeg names several in one word, such as ``mov,mp4,m4a``."""
SMALLEST = 16  # pixels; no set has a narrower file
UNEVEN = 1.5  # times the usual step between frames; NTSC rates jitter by less


def remarks(file: Path) -> list[str]:
    """Look at a file's header, and at the times of a video's frames.

    Args:
        file: One that could be read.

    Returns:
        A few words on each oddity: another format than the suffix says, a tiny picture, a single
        frame, a rotation to be applied, a variable frame rate.
    """
    try:
        return _image(file) if file.suffix.lower() in SUFFIXES["images"] else _video(file)
    except (DecodingError, StopIteration, *FAILURES) as error:
        return [f"its header could not be looked at: {error}"]


def _image(file: Path) -> list[str]:
    with Image.open(file) as image:
        found, width, height = str(image.format).lower(), image.width, image.height
    return [*_format(file, found), *_size(width, height)]


def _video(file: Path) -> list[str]:
    with VideoFile(str(file)) as video:
        codec = video.stream.codec_context
        odd = [*_format(file, video.container), *_size(codec.width, codec.height)]
        odd += _times([packet.pts for packet in video.packets() if packet.size])
    with VideoFile(str(file)) as video:
        first = next(video.decode())
        return [*odd, *(["turned upright by its display matrix"] if upright(first) else [])]


def _format(file: Path, found: str) -> list[str]:
    promised = FORMATS.get(file.suffix.lower())
    if promised is None or promised in found.split(","):
        return []
    return [f"is {found}, not {promised}"]


def _size(width: int, height: int) -> list[str]:
    return [f"{width} x {height} pixels"] if min(width, height) < SMALLEST else []


def _times(times: list[int | None]) -> list[str]:
    if len(times) == 1:
        return ["a single frame"]
    ordered = sorted(time for time in times if time is not None)  # an AVI has none
    steps = [b - a for a, b in pairwise(ordered)]
    if steps and max(steps) > UNEVEN * max(median(steps), 1):
        return ["variable frame rate"]
    return []
