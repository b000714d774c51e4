"""The filters that bring a picture upright, chosen from its display matrix as ``ffmpeg`` does."""

import math
import struct

import av

Filters = tuple[tuple[str, str], ...]


def upright(frame: "av.VideoFrame") -> Filters:
    """Filters with their arguments; none for a frame without a display matrix.

    Args:
        frame: As decoded.

    Returns:
        Names and arguments, to be applied in order.
    """
    for data in frame.side_data:
        if data.type == av.sidedata.sidedata.Type.DISPLAYMATRIX:
            return turning_filters(struct.unpack("<9i", bytes(data)))
    return ()


def turning_filters(matrix: tuple[int, ...]) -> Filters:
    """The rules of the ``ffmpeg`` program's ``-autorotate``.

    Args:
        matrix: Nine integers by rows; the left two columns are 16.16 fixed point.

    Returns:
        Names and arguments.

    Example:
        >>> one = 1 << 16
        >>> turning_filters((0, one, 0, -one, 0, 0, 0, 0, 1 << 30))
        (('transpose', 'clock'),)
        >>> turning_filters((-one, 0, 0, 0, -one, 0, 0, 0, 1 << 30))
        (('hflip', ''), ('vflip', ''))
    """
    a, b, _, c, d = matrix[:5]
    if (a, c) == (0, 0) or (b, d) == (0, 0):
        return ()  # no rotation can be read from it
    angle = math.degrees(math.atan2(b / math.hypot(b, d), a / math.hypot(a, c)))
    degrees = round(angle) % 360
    if degrees == 90:
        return (("transpose", "cclock_flip" if c > 0 else "clock"),)
    if degrees == 270:
        return (("transpose", "clock_flip" if c < 0 else "cclock"),)
    mirrored = (*((("hflip", ""),) if a < 0 else ()), *((("vflip", ""),) if d < 0 else ()))
    if degrees == 180:
        return mirrored
    if degrees == 0:
        return (("vflip", ""),) if d < 0 else ()
    return (("rotate", f"{degrees}*PI/180"),)
