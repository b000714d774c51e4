"""What is odd about a video that can be read: a person who prepares a data set wants to know."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from blackbox_anon.decoders.display import upright
from blackbox_anon.decoders.errors import DecodingError
from blackbox_anon.decoders.in_order import decoded_frames
from blackbox_anon.decoders.video_file import FAILURES, VideoFile

SMALL = 16  # pixels; nothing can be recognized below
UNEVEN = 1.5  # times the shortest distance; rounding of times makes less
CONTAINERS = {".avi": "avi", ".mp4": "mov", ".mov": "mov", ".m4v": "mov", ".mkv": "matroska"}
CONTAINERS |= {".webm": "matroska", ".mpg": "mpeg", ".mpeg": "mpeg"}


def find_remarks(path: str, *, strict: bool = True) -> list[str]:
    """Decode a whole file and say what is unusual about it.

    Args:
        path: A video file.
        strict: Refuse a truncated or damaged file.

    Returns:
        One short sentence per oddity; none for an ordinary video.

    Raises:
        DecodingError: With the reason, if the file cannot be decoded.
    """
    try:
        with VideoFile(path) as video:
            return _remarks(video, strict=strict)
    except FAILURES as error:
        raise DecodingError(f"{type(error).__name__}: {error}") from error


def _remarks(video: VideoFile, *, strict: bool) -> list[str]:
    times, found, sizes = [], [], set()
    for frame in decoded_frames(video, strict=strict):
        times.append(frame.pts)
        sizes.add((frame.width, frame.height))
        if len(times) == 1 and upright(frame):
            found.append("turned or mirrored by its display matrix")
    if len(times) == 1:
        found.append("one frame")
    found += [f"{w}x{h} pixels" for w, h in sorted(sizes) if min(w, h) < SMALL]
    if len(sizes) > 1:
        found.append(f"frames of {len(sizes)} sizes")
    if video.container != "avi" and _uneven(times):  # an AVI has one rate and may skip frames
        found.append("variable frame rate")
    expected = CONTAINERS.get(Path(video.path).suffix.lower())
    if expected is not None and not video.container.startswith(expected):
        found.append(f"suffix {Path(video.path).suffix}, content {video.container.split(',')[0]}")
    return found


def _uneven(times: Sequence[int | None]) -> bool:
    known = sorted(time for time in times if time is not None)
    steps = [b - a for a, b in pairwise(known)]
    return bool(steps) and max(steps) > UNEVEN * min(steps)
