"""Decode with the rounding of FFmpeg 8.0 and older, where PyAV's newer FFmpeg has another."""

from collections.abc import Sequence

import numpy as np

from blackbox_anon.decoders.decord_decoder import decord_failures, open_decord
from blackbox_anon.decoders.errors import DecodingError

MAX_ROUNDING = 16  # levels; another frame of a moving clip differs by far more


def as_older_releases(
    path: str, indices: Sequence[int], like: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Decode in order with decord, whose FFmpeg 4.1 rounds as the ``ffmpeg`` programs in use.

    Args:
        path: The file.
        indices: Frames wanted, in order.
        like: The same frames as PyAV decodes them.

    Returns:
        decord's frames; ``like`` where decord cannot read the file or gives another frame.
    """
    try:
        frames = _read_through(path, set(indices))
    except DecodingError:
        return list(like)
    pairs = zip(indices, like, strict=True)
    return [frames[i] if _close(frames.get(i), ours) else ours for i, ours in pairs]


def _read_through(path: str, wanted: set[int]) -> dict[int, np.ndarray]:
    with decord_failures():
        reader = open_decord(path)
        every = ((i, reader.next()) for i in range(min(max(wanted) + 1, len(reader))))
        return {i: frame.asnumpy() for i, frame in every if i in wanted}


def _close(theirs: np.ndarray | None, ours: np.ndarray) -> bool:
    if theirs is None or theirs.shape != ours.shape:
        return False
    return int(np.abs(theirs.astype(np.int16) - ours).max()) <= MAX_ROUNDING
