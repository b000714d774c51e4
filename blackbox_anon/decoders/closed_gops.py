"""Whether decoding of H.264 may start at every keyframe, read from the file's bytes.

With open groups of pictures, frames shown before a keyframe depend on the group before it, and
decord returns wrong frames there. Such keyframes are no IDR pictures.
"""

from collections.abc import Iterable
from pathlib import Path

import av

NAL_TYPE = 0x1F
SLICES = frozenset({1, 2, 3, 4, 5})
IDR = 5
LOOK_INTO = 4096  # bytes; parameter sets and messages before the first slice are shorter


def keyframes_are_idr(path: str, keyframes: "Iterable[av.IndexEntry]") -> bool:
    """Look at the first slice of each keyframe of an MP4 or MOV.

    Args:
        path: The file.
        keyframes: Entries of its index.

    Returns:
        False if any is not an IDR picture, or cannot be told.
    """
    with Path(path).open("rb") as file:
        for entry in keyframes:
            file.seek(entry.pos)
            if _first_slice(file.read(min(entry.size, LOOK_INTO))) != IDR:
                return False
    return True


def _first_slice(sample: bytes) -> int | None:
    """Type of the first slice among units of a 4-byte length and a payload."""
    start = 0
    while start + 4 < len(sample):
        kind = sample[start + 4] & NAL_TYPE
        if kind in SLICES:
            return kind
        start += 4 + int.from_bytes(sample[start : start + 4], "big")
    return None
