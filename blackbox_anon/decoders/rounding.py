"""Where releases of FFmpeg decode the same file to different pixels.

Up to release 8.0, motion compensation of the H.263 family on x86 rounds up half a level where a
sample is 0 and the stream asks to round down; from 8.1 on it follows the standard. Errors spread
along the motion, up to two levels of RGB. The ``ffmpeg`` programs in use, and decord, are older;
PyAV 18 is newer. A file without a sample of 0 gives equal pixels in both.
"""

import av
import numpy as np

H263_FAMILY = frozenset(
    {"mpeg4", "msmpeg4v1", "msmpeg4v2", "msmpeg4v3", "h263", "h263p", "flv1", "wmv1", "wmv2"}
)


def rounds_otherwise(codec: str, frame: "av.VideoFrame") -> bool:
    """Whether what is predicted from this frame depends on the release of FFmpeg.

    Args:
        codec: FFmpeg's name of the codec.
        frame: As decoded, in a planar 8-bit format if the codec is of the family.

    Returns:
        True if a visible sample is 0 and the codec is of the H.263 family.
    """
    return codec in H263_FAMILY and any(_samples(plane).min() == 0 for plane in frame.planes)


def _samples(plane: "av.VideoPlane") -> np.ndarray:
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width]
