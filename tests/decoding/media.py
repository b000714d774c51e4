"""Small videos of every awkward kind, written when a test wants them."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def pictures(num_frames: int, *, height: int = 96, width: int = 144, seed: int = 0) -> np.ndarray:
    """Frames ``(T, H, W, 3)`` that all differ: smooth noise that moves, and a bar that grows."""
    noise = np.random.default_rng(seed).integers(0, 255, (height // 8 + 2, width // 8 + 2, 3))
    tile = np.kron(noise, np.ones((8, 8, 1)))[:height, :width].astype(np.uint8)
    frames = np.stack([np.roll(tile, 2 * i, axis=1) for i in range(num_frames)])
    for i, frame in enumerate(frames):
        frame[: height // 4, : (i + 1) * width // num_frames] = 255
    return frames


def write(
    path: Path,
    frames: np.ndarray,
    *,
    codec: str = "mpeg4",
    b_frames: int = 0,
    keyframes: int = 12,
    pix_fmt: str = "yuv420p",
    times: Sequence[int] | None = None,
    degrees: int = 0,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Encode frames; ``times`` in 1/100 s makes the rate variable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pix_fmt
        stream.codec_context.max_b_frames = b_frames
        stream.codec_context.gop_size = keyframes
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 100)
        if degrees:
            stream.set_display_rotation(degrees)
        for i, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pix_fmt)
            if times is not None:
                frame.pts, frame.time_base = times[i], Fraction(1, 100)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_sound(path: Path) -> Path:
    """A file with sound and no picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac" if path.suffix == ".mp4" else "pcm_s16le", rate=16000)
        layout, kind = "mono", "fltp" if path.suffix == ".mp4" else "s16"
        silence = np.zeros((1, 1024), np.float32 if kind == "fltp" else np.int16)
        samples = av.AudioFrame.from_ndarray(silence, kind, layout)
        samples.sample_rate = 16000
        container.mux(stream.encode(samples))
        container.mux(stream.encode())
    return path


def has_encoder(name: str) -> bool:
    """Whether this PyAV can write a codec."""
    try:
        av.Codec(name, "w")
    except av.codec.codec.UnknownCodecError:
        return False
    return True
