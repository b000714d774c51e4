"""Read uniformly spaced frames of a clip, and never a wrong frame.

decord seeks by timestamp. An AVI has none, and MPEG-4 part 2 packs B-frames, so its random access
returns neighbouring frames there (nearly all of HMDB51, some frames of UCF101), and its count
may include a frame that does not exist. Such files are decoded in order with PyAV instead, which
takes no longer than decord's seeking. Readers are opened per call: one shared across a fork hangs.
"""

from pathlib import Path

import av
import decord
import numpy as np
import torch
from torch import Tensor

from blackbox_anon.datasets.resizing import Crop, resize
from blackbox_anon.datasets.unreadable import UnreadableFileError

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


def clip_indices(num_frames: int, clip_frames: int) -> list[int]:
    """Uniformly spaced frame indices from the first frame to the last.

    Args:
        num_frames: Frames the file has.
        clip_frames: Frames wanted; more than the file has repeats frames.

    Returns:
        ``clip_frames`` indices, ascending.

    Raises:
        ValueError: If either number is not positive.

    Example:
        >>> clip_indices(164, 8)
        [0, 23, 47, 70, 93, 116, 140, 163]
        >>> clip_indices(2, 4)
        [0, 0, 1, 1]
    """
    if num_frames < 1:
        raise ValueError(f"num_frames: expected at least 1, found {num_frames}")
    if clip_frames < 1:
        raise ValueError(f"clip_frames: expected at least 1, found {clip_frames}")
    return [round(i) for i in np.linspace(0, num_frames - 1, clip_frames).tolist()]


def read_clip(
    path: str | Path, clip_frames: int, size: int | None, *, crop: Crop = "center"
) -> Tensor:
    """Read ``clip_frames`` uniformly spaced frames.

    Args:
        path: A video file.
        clip_frames: Frames to read; a shorter file repeats frames.
        size: Side of the result; ``None`` keeps the native size.
        crop: See :func:`~blackbox_anon.datasets.resize`.

    Returns:
        Shape ``(T, 3, H, W)``, uint8, RGB.

    Raises:
        UnreadableFileError: If the file is missing or cannot be decoded.
        ValueError: If ``clip_frames`` or ``size`` is not positive.
    """
    if clip_frames < 1:
        raise ValueError(f"clip_frames: expected at least 1, found {clip_frames}")
    try:
        read = _read_in_order if _needs_order(str(path)) else _read_seeking
        pixels = read(str(path), clip_frames)
    except FAILURES as error:
        raise UnreadableFileError(path, f"{type(error).__name__}: {error}") from error
    return resize(torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(), size, crop=crop)


def _needs_order(path: str) -> bool:
    """Whether decord's seeking may fail or return another frame. Reads the header only."""
    with _open(path) as container:
        codec = _video_stream(container).codec_context
        timed = container.format.name != "avi" and codec.name in SEEKABLE_WITH_B_FRAMES
        return codec.width < MIN_DECORD_WIDTH or (bool(codec.has_b_frames) and not timed)


def _read_seeking(path: str, clip_frames: int) -> np.ndarray:
    reader = decord.VideoReader(path, ctx=decord.cpu(0), num_threads=1)
    indices = clip_indices(len(reader), clip_frames)
    return np.asarray(reader.get_batch(indices).asnumpy())


def _read_in_order(path: str, clip_frames: int) -> np.ndarray:
    """Count by decoding, then decode again: two passes hold one frame, not the whole file."""
    with _open(path) as container:
        num_frames = sum(1 for _ in container.decode(_video_stream(container)))
    indices = clip_indices(num_frames, clip_frames)
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
