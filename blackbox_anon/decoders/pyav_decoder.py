"""PyAV: seeks to keyframes by their time and decodes from there."""

from collections.abc import Iterator, Sequence

import av
import numpy as np
from typing_extensions import override

from blackbox_anon.decoders.abstract import AbstractDecoder
from blackbox_anon.decoders.errors import DecodingError
from blackbox_anon.decoders.in_order import Decoded
from blackbox_anon.decoders.rounding import H263_FAMILY, has_zero
from blackbox_anon.decoders.timeline import Timeline
from blackbox_anon.decoders.video_file import VideoFile


class PyAVDecoder(AbstractDecoder):
    """Needs nothing else installed, and tells damage in what it decodes."""

    @override
    def seeks(self, timeline: Timeline) -> bool:
        return timeline.codec == "h264" or (
            timeline.codec in H263_FAMILY and not timeline.reordered
        )

    @override
    def frames(self, timeline: Timeline, indices: Sequence[int]) -> list[np.ndarray] | None:
        times = _shown_at(timeline)
        if len(times) != timeline.num_frames:
            return None
        decoded = Decoded(len(times))
        with VideoFile(timeline.path) as video:
            ahead: Iterator[av.VideoFrame] = iter(())
            previous = None
            for index in sorted(set(indices)):
                if previous is None or timeline.keyframe_between(previous, index):
                    video.seek(times[index])
                    ahead = video.decode()
                if not _decode_until(times[index], ahead, decoded, index, timeline.codec):
                    return None
                previous = index
        return decoded.arrays(list(indices))


def _shown_at(timeline: Timeline) -> list[int]:
    if not timeline.reordered:
        return list(timeline.times)
    with VideoFile(timeline.path) as video:
        return sorted(packet.pts for packet in video.packets() if packet.pts is not None)


def _decode_until(
    time: int, ahead: "Iterator[av.VideoFrame]", decoded: Decoded, index: int, codec: str
) -> bool:
    """Whether the frame shown at ``time`` was reached, and its pixels are the same everywhere."""
    for frame in ahead:
        if frame.is_corrupt:
            raise DecodingError(f"damaged: what leads to frame {index} is decodable only in part")
        if codec in H263_FAMILY and has_zero(frame):
            return False  # may be rounded otherwise
        if frame.pts is None or frame.pts > time:
            return False
        if frame.pts == time:
            decoded.frames[index] = frame
            return True
    return False
