"""Decode a file from its first frame to its last: exact for every file a decoder can read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import av
import numpy as np

from blackbox_anon.decoders.conversion import RGBConverter
from blackbox_anon.decoders.errors import DecodingError
from blackbox_anon.decoders.integrity import check_count, check_index
from blackbox_anon.decoders.rounding import RoundingWatch
from blackbox_anon.decoders.video_file import VideoFile

Choose = Callable[[int], list[int]]

MISCOUNTED = 2  # an AVI with packed B-frames lists up to two frames that do not exist


@dataclass
class Decoded:
    """What one pass over a file found.

    Args:
        num_frames: Frames that came out of the decoder.
        frames: The frames that were wanted, by index.
        rounded_otherwise: Whether other releases of FFmpeg may round a pixel differently.
    """

    num_frames: int = 0
    frames: "dict[int, av.VideoFrame]" = field(default_factory=dict)
    rounded_otherwise: bool = False

    def arrays(self, indices: list[int]) -> list[np.ndarray]:
        """RGB frames ``(H, W, 3)``; a repeated index is converted once.

        Args:
            indices: The ones to return, in order.

        Returns:
            One array per index.

        Raises:
            DecodingError: If the frames differ in size.
        """
        to_rgb = RGBConverter()
        arrays = {i: to_rgb(self.frames[i]) for i in sorted(set(indices))}
        shapes = {array.shape[:2] for array in arrays.values()}
        if len(shapes) > 1:
            raise DecodingError(f"expected frames of one size, found {sorted(shapes)}")
        return [arrays[i] for i in indices]


def decode_chosen(
    video: VideoFile, choose: Choose, *, strict: bool = True
) -> tuple[Decoded, list[int]]:
    """Decode in one pass where the container's count is nearly right, else in two.

    Args:
        video: A file nothing was read of yet.
        choose: From the number of frames to the indices wanted.
        strict: Refuse a truncated or damaged file.

    Returns:
        The pass with all chosen frames, and the chosen indices.

    Raises:
        DecodingError: If nothing can be decoded, or ``strict`` finds damage.
    """
    listed = len(video.entries)
    likely = range(max(listed - MISCOUNTED, 1), listed + 1)
    decoded = decode_in_order(video, {i for n in likely for i in choose(n)}, strict=strict)
    indices = choose(decoded.num_frames)
    if not decoded.frames.keys() >= set(indices):
        with VideoFile(video.path) as again:
            decoded = decode_in_order(again, set(indices), strict=strict)
    return decoded, indices


def decode_in_order(video: VideoFile, wanted: set[int], *, strict: bool = True) -> Decoded:
    """One pass over a file.

    Args:
        video: A file nothing was read of yet.
        wanted: Indices of frames to keep.
        strict: Refuse a truncated or damaged file.

    Returns:
        The count and the frames.

    Raises:
        DecodingError: If nothing can be decoded, or ``strict`` finds damage.
    """
    decoded = Decoded()
    watch = RoundingWatch(video.codec)
    for frame in decoded_frames(video, strict=strict):
        if decoded.num_frames in wanted:
            decoded.frames[decoded.num_frames] = frame
        watch.see(frame)
        decoded.num_frames += 1
    decoded.rounded_otherwise = watch.found
    return decoded


def decoded_frames(video: VideoFile, *, strict: bool = True) -> "Iterator[av.VideoFrame]":
    """All frames in order.

    Args:
        video: A file nothing was read of yet.
        strict: Refuse a truncated or damaged file.

    Yields:
        Frames as decoded.

    Raises:
        DecodingError: If nothing can be decoded, or ``strict`` finds damage.
    """
    if strict:
        check_index(video, video.entries)
    count = -1
    for count, frame in enumerate(_frames(video, strict=strict)):
        if strict and frame.is_corrupt:
            raise DecodingError(f"damaged: frame {count} is decodable only in part")
        yield frame
    if count < 0:
        raise DecodingError("no frame in the video stream")


def _frames(video: VideoFile, *, strict: bool) -> "Iterator[av.VideoFrame]":
    packets = 0
    for packet in video.packets():
        packets += packet.size > 0
        if strict and packet.is_corrupt:
            raise DecodingError(f"damaged: packet {packets - 1} is marked corrupt")
        yield from packet.decode()
    if strict:
        check_count(video, packets)
