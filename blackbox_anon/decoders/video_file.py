"""One video stream, opened with PyAV: the stream FFmpeg would pick, its header and its frames."""

import os
from collections.abc import Iterator
from types import TracebackType

import av

from blackbox_anon.decoders.errors import DecodingError

MAX_PIXELS = 2**26  # a damaged header must not make one frame take gigabytes; 8K has 2**25
DECODER_OPTIONS = {"max_pixels": str(MAX_PIXELS)}
WATCHED_OPTIONS = {**DECODER_OPTIONS, "flags2": "+export_mvs"}  # for RoundingWatch

FAILURES = (av.FFmpegError, OSError, ValueError, IndexError, OverflowError, MemoryError)


class VideoFile:
    """The best video stream of a file, as a context manager.

    Args:
        path: A video file; its content decides the format, not its suffix.

    Raises:
        DecodingError: If the file is not a regular file with a video stream.
    """

    def __init__(self, path: str) -> None:
        if os.path.isdir(path):  # noqa: PTH112  # pathlib.Path costs as much as the call
            raise DecodingError("expected a file, found a folder")
        self.path = path
        self._container = av.open(path, metadata_errors="replace")  # HMDB51 titles: not all UTF-8
        try:
            if self.container.endswith("_pipe") or self.container == "image2":
                raise DecodingError(f"expected a video, found an image ({self.container})")
            self.stream = _best_stream(self._container)
        except DecodingError:
            self._container.close()
            raise
        self.stream.thread_count = 1  # the workers are the parallelism
        watched = self.codec == "mpeg4"
        self.stream.codec_context.options = WATCHED_OPTIONS if watched else DECODER_OPTIONS

    def __enter__(self) -> "VideoFile":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._container.close()

    @property
    def container(self) -> str:
        """FFmpeg's name of the format, ``avi`` or ``mov,mp4,...``."""
        return str(self._container.format.name)

    @property
    def codec(self) -> str:
        """FFmpeg's name of the codec, ``mpeg4`` or ``h264``."""
        return str(self.stream.codec_context.name)

    @property
    def entries(self) -> "list[av.IndexEntry]":
        """The container's index in decoding order; empty where there is none."""
        return list(self.stream.index_entries)

    def packets(self) -> "Iterator[av.Packet]":
        """All packets of the stream that hold data, in decoding order, and the flush at the end."""
        yield from self._container.demux(self.stream)

    def seek(self, timestamp: int) -> None:
        """Go to the last keyframe at or before a time, in the stream's time base."""
        self._container.seek(timestamp, stream=self.stream)

    def decode(self) -> "Iterator[av.VideoFrame]":
        """Frames from the current position on."""
        yield from self._container.decode(self.stream)


def _best_stream(container: "av.container.InputContainer") -> "av.VideoStream":
    """The largest picture, default streams first: what ``ffmpeg -i`` takes without ``-map``."""
    moving = [s for s in container.streams.video if not _is_cover(s)]
    if not moving:
        raise DecodingError("no video stream")
    return max(moving, key=lambda s: (_has(s, "default"), s.width * s.height, -s.index))


def _is_cover(stream: "av.VideoStream") -> bool:
    return _has(stream, "attached_pic")


def _has(stream: "av.VideoStream", disposition: str) -> bool:
    return bool(stream.disposition & av.stream.Disposition[disposition])
