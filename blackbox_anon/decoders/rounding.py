"""Where releases of FFmpeg decode the same file to different pixels.

In motion compensation of the H.263 family on x86, releases up to 8.0 compute ``(a + b) >> 1`` as
the rounded average of ``max(a - 1, 0)`` and ``b``, which is one too high where ``a`` is 0 and
``b`` is odd; from 8.1 on they follow the standard. The error spreads along the motion, up to two
levels of RGB. The ``ffmpeg`` programs in use, and decord, are older; PyAV 18 is newer. What the
two decode alike can be told from the frames and motion vectors of either.
"""

import av
import numpy as np

H263_FAMILY = frozenset(
    {"mpeg4", "msmpeg4v1", "msmpeg4v2", "msmpeg4v3", "h263", "h263p", "flv1", "wmv1", "wmv2"}
)
HALF_PEL = 2  # motion vectors in units of half a pixel; finer ones take other routines
MARGIN = 2  # pixels around a block that its interpolation may read

I, P, B = 1, 2, 3  # noqa: E741  # names of picture types


class RoundingWatch:
    """Looks at frames in order and tells when pixels may depend on the release.

    Args:
        codec: FFmpeg's name of the codec; ``mpeg4`` frames should carry motion vectors.
    """

    def __init__(self, codec: str) -> None:
        self.found = False
        self._codec = codec
        self._sensitive: np.ndarray | None = None  # of the last reference frame

    def see(self, frame: "av.VideoFrame") -> None:
        """Take the next frame; ``found`` becomes true if the release matters for it.

        Args:
            frame: As decoded, in display order.
        """
        if self.found or self._codec not in H263_FAMILY:
            return
        if self._codec != "mpeg4" or frame.pict_type not in (I, P, B):
            self.found = has_zero(frame)
            return
        if frame.pict_type == P and self._sensitive is not None:
            self.found = _reads(frame, self._sensitive)
        if frame.pict_type != B:
            chroma = any(_samples(plane).min() == 0 for plane in frame.planes[1:])
            self.found |= chroma  # rare: their motion vectors are not told
            self._sensitive = _zero_beside_odd(_samples(frame.planes[0]))


def has_zero(frame: "av.VideoFrame") -> bool:
    """Whether any visible sample of a planar 8-bit frame is 0."""
    return any(_samples(plane).min() == 0 for plane in frame.planes)


def _samples(plane: "av.VideoPlane") -> np.ndarray:
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width]


def _zero_beside_odd(luma: np.ndarray) -> np.ndarray | None:
    """Where a rounded average goes wrong, as sums over the rectangle up to each pixel."""
    zero = luma == 0
    if not zero.any():
        return None
    odd = np.pad(luma & 1, 1)
    beside = odd[:-2, 1:-1] | odd[2:, 1:-1] | odd[1:-1, :-2] | odd[1:-1, 2:]
    wrong = zero & (beside == 1)
    if not wrong.any():
        return None
    return np.pad(wrong.cumsum(0, dtype=np.int32).cumsum(1, dtype=np.int32), ((1, 0), (1, 0)))


def _reads(frame: "av.VideoFrame", sums: np.ndarray) -> bool:
    """Whether a block predicted at half a pixel reads one of the places counted in ``sums``."""
    motion = _motion(frame)
    if motion is None or (motion["motion_scale"] != HALF_PEL).any():
        return True  # cannot be told
    motion = motion[((motion["motion_x"] | motion["motion_y"]) & 1) == 1]
    height, width = sums.shape[0] - 1, sums.shape[1] - 1
    top, bottom = _span(motion, "y", "h", height)
    left, right = _span(motion, "x", "w", width)
    inside = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    return bool((inside > 0).any())


def _span(motion: np.ndarray, axis: str, side: str, limit: int) -> tuple[np.ndarray, np.ndarray]:
    half = motion[side].astype(np.int32) // 2
    centre = motion[f"dst_{axis}"].astype(np.int32) + motion[f"motion_{axis}"] // HALF_PEL
    first = np.clip(centre - half - MARGIN, 0, limit - 1)  # the edge is repeated outwards
    last = np.clip(centre + half + MARGIN, 1, limit)
    return first, np.maximum(last, first + 1)


def _motion(frame: "av.VideoFrame") -> np.ndarray | None:
    for data in frame.side_data:
        if data.type == av.sidedata.sidedata.Type.MOTION_VECTORS:
            return np.asarray(data.to_ndarray())
    return None
