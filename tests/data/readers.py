"""Small readers for small clips."""

from blackbox_anon.decoding import ClipReader, UniformSampling


def reader(clip_frames: int, size: int | None) -> ClipReader:
    return ClipReader(UniformSampling(clip_frames), size)
