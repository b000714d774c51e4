"""Write clips and images, never half a file under the final name.

Example:
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_image(folder / "grey.png", torch.full((3, 4, 6), 128, dtype=torch.uint8))
    >>> [path.name for path in folder.iterdir()]
    ['grey.png']
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import pad

# H.264 plays everywhere; an FFmpeg built without it still has MPEG-4 part 2.
ENCODERS = {"libx264": {"crf": "18"}, "libopenh264": {}, "mpeg4": {"qscale": "3"}}


def write_video(path: str | Path, frames: Tensor, fps: float) -> None:
    """Write an MP4 with H.264, or MPEG-4 part 2 where no H.264 encoder is installed.

    An odd height or width gains one row or column, a copy of the last: 4:2:0 needs even sides.

    Args:
        path: The file; its folder is made, an existing file replaced once the new one is whole.
        frames: Shape ``(T, 3, H, W)``, uint8, RGB.
        fps: Frames per second.

    Raises:
        ValueError: If ``frames`` has another shape or dtype, or ``fps`` is not positive.
    """
    _check(frames, ndim=4)
    if fps <= 0:
        raise ValueError(f"fps: expected a positive number, found {fps}")
    even = _even(frames.cpu())
    encoder = next(name for name in ENCODERS if _installed(name))
    with (
        _renamed_when_whole(Path(path)) as partial,
        av.open(str(partial), "w", format="mp4", options={"movflags": "faststart"}) as container,
    ):
        rate = Fraction(fps).limit_denominator(1001)
        stream = container.add_stream(encoder, rate=rate, options=ENCODERS[encoder])
        stream.height, stream.width = even.shape[-2:]
        stream.pix_fmt = "yuv420p"
        for image in even.permute(0, 2, 3, 1).contiguous().numpy():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def write_image(path: str | Path, frame: Tensor) -> None:
    """Write a PNG.

    Args:
        path: The file; its folder is made, an existing file replaced once the new one is whole.
        frame: Shape ``(3, H, W)``, uint8, RGB.

    Raises:
        ValueError: If ``frame`` has another shape or dtype.
    """
    _check(frame, ndim=3)
    with _renamed_when_whole(Path(path)) as partial:
        Image.fromarray(frame.cpu().permute(1, 2, 0).contiguous().numpy()).save(partial, "PNG")


@contextmanager
def _renamed_when_whole(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{os.getpid()}.partial")  # short: the final name may be at the limit
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _installed(encoder: str) -> bool:
    try:
        av.Codec(encoder, "w")
    except av.codec.codec.UnknownCodecError:
        return False
    return True


def _even(frames: Tensor) -> Tensor:
    height, width = frames.shape[-2:]
    padded = pad(frames.float(), (0, width % 2, 0, height % 2), mode="replicate")
    return padded.to(torch.uint8)


def _check(frames: Tensor, *, ndim: int) -> None:
    letters = "T 3 H W"[-2 * ndim + 1 :]
    if frames.ndim != ndim or frames.shape[-3] != 3 or 0 in frames.shape:
        raise ValueError(f"frames: expected shape ({letters}), found {tuple(frames.shape)}")
    if frames.dtype != torch.uint8:
        raise ValueError(f"frames: expected uint8, found {frames.dtype}")
