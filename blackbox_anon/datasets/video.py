"""Read uniformly spaced frames of a clip in one call."""

from pathlib import Path

from torch import Tensor

from blackbox_anon.decoding import ClipReader, Crop, UniformSampling


def clip_indices(num_frames: int, clip_frames: int) -> list[int]:
    """Uniformly spaced frame indices from the first frame to the last.

    Args:
        num_frames: Frames the file has.
        clip_frames: Frames wanted; more than the file has repeats frames.

    Returns:
        ``clip_frames`` indices, ascending.

    Raises:
        ValueError: If either number is not positive.
    """
    return _uniform(clip_frames).indices(num_frames)


def read_clip(
    path: str | Path, clip_frames: int, size: int | None, *, crop: Crop = "center"
) -> Tensor:
    """Read uniformly spaced frames with a :class:`~blackbox_anon.decoding.ClipReader`.

    Args:
        path: A video file.
        clip_frames: Frames to read; a shorter file repeats frames.
        size: Side of the result; ``None`` keeps the native size.
        crop: See :func:`~blackbox_anon.decoding.resize`.

    Returns:
        Shape ``(T, 3, H, W)``, uint8, RGB.

    Raises:
        UnreadableFileError: If the file is missing or cannot be decoded.
        ValueError: If ``clip_frames`` or ``size`` is not positive.
    """
    return ClipReader(_uniform(clip_frames), size, crop=crop)(path)


def _uniform(clip_frames: int) -> UniformSampling:
    if clip_frames < 1:
        raise ValueError(f"clip_frames: expected at least 1, found {clip_frames}")
    return UniformSampling(clip_frames)
