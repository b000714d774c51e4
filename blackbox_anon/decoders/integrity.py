"""What a container promises against what the file holds: a truncated file says more than it has."""

from collections.abc import Iterable
from pathlib import Path

import av

from blackbox_anon.decoders.errors import DecodingError
from blackbox_anon.decoders.video_file import VideoFile


def check_index(video: VideoFile, entries: "Iterable[av.IndexEntry]") -> None:
    """Refuse a file whose index points beyond its end.

    Args:
        video: The open file.
        entries: Its index.

    Raises:
        DecodingError: Saying how much is missing.
    """
    end = max((entry.pos + entry.size for entry in entries), default=0)
    size = Path(video.path).stat().st_size
    if end > size:
        raise DecodingError(f"truncated: the index needs {end} bytes, the file has {size}")


def check_count(video: VideoFile, packets: int) -> None:
    """Refuse a file with fewer packets than its header declares frames.

    Args:
        video: The open file.
        packets: Packets with data that were read.

    Raises:
        DecodingError: Saying both numbers.
    """
    declared = video.stream.frames  # 0 where the format does not say
    if packets < declared:
        raise DecodingError(f"truncated: the header declares {declared} frames, found {packets}")
