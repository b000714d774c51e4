"""What a container promises against what the file holds: a truncated file says more than it has."""

from collections.abc import Iterable
from pathlib import Path

import av

from blackbox_anon.decoders.errors import DecodingError
from blackbox_anon.decoders.video_file import VideoFile

SEGMENT = b"\x18\x53\x80\x67"  # the element that holds all others


def check_index(video: VideoFile, entries: "Iterable[av.IndexEntry]") -> None:
    """Refuse a file whose index points beyond its end.

    Args:
        video: The open file.
        entries: Its index.

    Raises:
        DecodingError: Saying how much is missing.
    """
    end = max((entry.pos + entry.size for entry in entries), default=0)
    if video.container.startswith("matroska"):
        end = max(end, _segment_end(Path(video.path)))
    size = Path(video.path).stat().st_size
    if end > size:
        raise DecodingError(f"truncated: the index needs {end} bytes, the file has {size}")


def check_count(video: VideoFile, packets: int) -> None:
    """Refuse a file with fewer packets than its header declares frames.

    An AVI declares frames that its encoder left out, too: it must also end before it says.

    Args:
        video: The open file.
        packets: Packets with data that were read.

    Raises:
        DecodingError: Saying both numbers.
    """
    declared = video.stream.frames  # 0 where the format does not say
    if packets >= declared or (video.container == "avi" and _riff_is_whole(Path(video.path))):
        return
    raise DecodingError(f"truncated: the header declares {declared} frames, found {packets}")


def _riff_is_whole(path: Path) -> bool:
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8)[4:], "little")
    return size + 8 <= path.stat().st_size


def _segment_end(path: Path) -> int:
    """Where a Matroska file says that it ends; 0 if it does not say."""
    with path.open("rb") as file:
        head = file.read(4096)
    start = head.find(SEGMENT)
    if start < 0 or start + 5 > len(head):
        return 0
    first = head[start + 4]
    width = 9 - first.bit_length()  # of the size, which keeps its own width in its leading zeros
    bits = 7 * width
    number = int.from_bytes(head[start + 4 : start + 4 + width], "big") & ((1 << bits) - 1)
    unknown = number == (1 << bits) - 1  # a live recording
    return 0 if unknown else start + 4 + width + number
