"""Read the chosen frames of one file: by seeking where that is exact and pays, else in order."""

from typing import Literal

import numpy as np

from blackbox_anon.decoders.abstract import AbstractDecoder
from blackbox_anon.decoders.decord_decoder import DecordDecoder
from blackbox_anon.decoders.errors import DecodingError
from blackbox_anon.decoders.in_order import Choose, decode_chosen, decode_in_order
from blackbox_anon.decoders.integrity import check_index
from blackbox_anon.decoders.older_release import as_older_releases
from blackbox_anon.decoders.pyav_decoder import PyAVDecoder
from blackbox_anon.decoders.timeline import Timeline, read_timeline
from blackbox_anon.decoders.torchcodec_decoder import TorchCodecDecoder
from blackbox_anon.decoders.video_file import FAILURES, VideoFile

Backend = Literal["decord", "pyav", "torchcodec"]

DECODERS: dict[Backend, type[AbstractDecoder]] = {
    "decord": DecordDecoder,
    "pyav": PyAVDecoder,
    "torchcodec": TorchCodecDecoder,
}


def read_frames(
    path: str, choose: Choose, decoder: AbstractDecoder, *, strict: bool = True
) -> list[np.ndarray]:
    """Frames of a file, each the one an in-order decode by ``ffmpeg`` gives at its index.

    Args:
        path: A video file.
        choose: From the number of frames to the indices wanted.
        decoder: Seeks where it can.
        strict: Refuse a truncated or damaged file.

    Returns:
        Frames ``(H, W, 3)``, uint8, RGB, as chosen.

    Raises:
        DecodingError: With the reason, if the file cannot be decoded.
    """
    try:
        with VideoFile(path) as video:
            timeline = read_timeline(video)
            frames = _seek(timeline, choose, decoder, video, strict=strict)
            return frames or _read_in_order(video, choose, strict=strict)
    except FAILURES as error:
        raise DecodingError(f"{type(error).__name__}: {error}") from error


def count_frames(path: str, *, strict: bool = True) -> int:
    """True number of frames, found by decoding all of them.

    Args:
        path: A video file.
        strict: Refuse a truncated or damaged file.

    Returns:
        The number.

    Raises:
        DecodingError: With the reason, if the file cannot be decoded.
    """
    try:
        with VideoFile(path) as video:
            return decode_in_order(video, set(), strict=strict).num_frames
    except FAILURES as error:
        raise DecodingError(f"{type(error).__name__}: {error}") from error


def _seek(
    timeline: Timeline,
    choose: Choose,
    decoder: AbstractDecoder,
    video: VideoFile,
    *,
    strict: bool,
) -> list[np.ndarray] | None:
    if timeline.num_frames == 0:
        return None
    indices = choose(timeline.num_frames)
    if not timeline.worth_seeking(indices):
        return None
    if strict:
        check_index(video, video.entries)
    for candidate in (decoder, DecordDecoder()):  # decord rounds MPEG-4 part 2 as ffmpeg does
        frames = candidate.frames(timeline, indices) if candidate.seeks(timeline) else None
        if frames is not None:
            return frames
    return None


def _read_in_order(video: VideoFile, choose: Choose, *, strict: bool) -> list[np.ndarray]:
    decoded, indices = decode_chosen(video, choose, strict=strict)
    frames = decoded.arrays(indices)
    if decoded.rounded_otherwise:
        return as_older_releases(video.path, indices, frames)
    return frames
