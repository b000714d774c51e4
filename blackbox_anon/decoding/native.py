"""Frames at native size. decord seeks where that is exact, PyAV decodes in order elsewhere."""

from collections.abc import Callable
from pathlib import Path

import av
import decord
import numpy as np
import torch
from torch import Tensor

from blackbox_anon.decoding.sampling import AbstractSampling
from blackbox_anon.decoding.unreadable import UnreadableFileError

decord.logging.set_level(decord.logging.QUIET)  # failures are raised, and reported with their path

MIN_DECORD_WIDTH = 128  # decord raises on whole files 16, 24, 48 or 72 pixels wide
SEEKABLE_WITH_B_FRAMES = frozenset({"h264", "hevc", "av1"})  # in containers that keep timestamps

FAILURES = (
    decord.DECORDError,
    RuntimeError,  # decord: no video stream, end of file within a seek
    av.FFmpegError,
    OSError,
    ValueError,
    IndexError,
)


def read(path: str | Path, sampling: AbstractSampling) -> Tensor:
    """Sampled frames, ``(T, 3, H, W)``, uint8."""
    try:
        reading = _read_in_order if _needs_order(str(path)) else _read_seeking
        pixels = reading(str(path), sampling.indices)
    except FAILURES as error:
        raise UnreadableFileError(path, f"{type(error).__name__}: {error}") from error
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()


def count(path: str | Path) -> int:
    """Frames a decoder gives in order."""
    try:
        return _count_in_order(str(path))
    except FAILURES as error:
        raise UnreadableFileError(path, f"{type(error).__name__}: {error}") from error


def _count_in_order(path: str) -> int:
    with _open(path) as container:
        return sum(1 for _ in container.decode(_video_stream(container)))


def _needs_order(path: str) -> bool:
    """Whether decord's seeking may fail or return another frame. Reads the header only."""
    with _open(path) as container:
        codec = _video_stream(container).codec_context
        timed = container.format.name != "avi" and codec.name in SEEKABLE_WITH_B_FRAMES
        return codec.width < MIN_DECORD_WIDTH or (bool(codec.has_b_frames) and not timed)


def _read_seeking(path: str, choose: Callable[[int], list[int]]) -> np.ndarray:
    reader = decord.VideoReader(path, ctx=decord.cpu(0), num_threads=1)
    indices = choose(len(reader))
    return np.asarray(reader.get_batch(indices).asnumpy())


def _read_in_order(path: str, choose: Callable[[int], list[int]]) -> np.ndarray:
    """Count by decoding, then decode again: two passes hold one frame, not the whole file."""
    indices = choose(_count_in_order(path))
    with _open(path) as container:
        kept = {
            i: frame.to_ndarray(format="rgb24")
            for i, frame in enumerate(container.decode(_video_stream(container)))
            if i in indices
        }
    return np.stack([kept[i] for i in indices])


def _open(path: str) -> "av.container.InputContainer":
    return av.open(path, metadata_errors="replace")  # some HMDB51 titles are not UTF-8


def _video_stream(container: "av.container.InputContainer") -> "av.VideoStream":
    stream = container.streams.best("video")
    if stream is None:
        raise ValueError("no video stream")
    stream.thread_count = 1  # the workers are the parallelism
    return stream
