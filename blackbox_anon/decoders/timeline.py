"""When each frame of a file is shown and where decoding can start, read without decoding."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import av

from blackbox_anon.decoders.closed_gops import keyframes_are_idr
from blackbox_anon.decoders.rounding import H263_FAMILY
from blackbox_anon.decoders.video_file import VideoFile

SEEK_GAIN = 3  # seek if it spares decoding at least two frames of three: a seek costs too
PROGRESSIVE = 1  # AV_FIELD_PROGRESSIVE


@dataclass(frozen=True)
class Timeline:
    """The frames of a file, as its index lists them.

    Args:
        path: The file.
        codec: FFmpeg's name of the codec.
        width: Of a frame, in pixels.
        plain: Whether every decoder converts its pixels alike: 8-bit 4:2:0, even, progressive.
        times: Decoding times in the stream's time base, ascending; empty if there is no index
            that can be relied on.
        keyframes: Indices into ``times`` where decoding can start.
        reordered: Whether frames are shown in another order than they are decoded in.
    """

    path: str
    codec: str
    width: int
    plain: bool
    times: tuple[int, ...]
    keyframes: tuple[int, ...]
    reordered: bool

    @property
    def num_frames(self) -> int:
        """Frames the index lists."""
        return len(self.times)

    def worth_seeking(self, indices: Sequence[int]) -> bool:
        """Whether random access decodes much less than decoding in order.

        Args:
            indices: Frames wanted.

        Returns:
            True if at most a third of the frames has to be decoded.
        """
        return SEEK_GAIN * self._decoded(indices) <= self.num_frames

    def keyframe_between(self, previous: int, index: int) -> bool:
        """Whether decoding can start after one frame and at or before a later one.

        Args:
            previous: Index of a frame already decoded.
            index: Index of the next frame wanted.

        Returns:
            True if a seek spares work.
        """
        return self.keyframes[bisect_right(self.keyframes, index) - 1] > previous

    def _decoded(self, indices: Sequence[int]) -> int:
        position, total = -1, 0
        for index in sorted(set(indices)):
            start = self.keyframes[bisect_right(self.keyframes, index) - 1]
            total += index - max(start - 1, position)
            position = index
        return total


def read_timeline(video: VideoFile) -> Timeline:
    """Read a file's timeline from its index.

    Args:
        video: The open file; its read position is not changed.

    Returns:
        Its timeline, with no times where the index cannot be relied on.
    """
    context = video.stream.codec_context
    times, keyframes = _listed(video)
    return Timeline(
        path=video.path,
        codec=video.codec,
        width=context.width,
        plain=_plain(video),
        times=times,
        keyframes=keyframes,
        reordered=bool(context.has_b_frames),
    )


def _listed(video: VideoFile) -> tuple[tuple[int, ...], tuple[int, ...]]:
    entries = video.entries
    starts = [entry for entry in entries if entry.is_keyframe]
    times = tuple(entry.timestamp for entry in entries)
    reliable = (
        len(times) == video.stream.frames
        and all(a < b for a, b in pairwise(times))
        and not any(entry.is_discard for entry in entries)  # cut by an edit list
        and (video.codec in H263_FAMILY or _closed(video, starts))
    )
    keyframes = tuple(i for i, entry in enumerate(entries) if entry.is_keyframe)
    return (times, keyframes) if reliable and keyframes[:1] == (0,) else ((), ())


def _closed(video: VideoFile, starts: "list[av.IndexEntry]") -> bool:
    mp4 = video.container.startswith("mov")
    return mp4 and video.codec == "h264" and keyframes_are_idr(video.path, starts)


def _plain(video: VideoFile) -> bool:
    context = video.stream.codec_context
    progressive = video.codec in H263_FAMILY or context.field_order == PROGRESSIVE
    return context.pix_fmt == "yuv420p" and context.height % 2 == 0 and progressive
