"""torchcodec, an optional extra that decodes with the FFmpeg installed on the system."""

from collections.abc import Sequence
from importlib import import_module

import numpy as np
from typing_extensions import override

from blackbox_anon.decoders.abstract import AbstractDecoder
from blackbox_anon.decoders.errors import DecodingError
from blackbox_anon.decoders.timeline import Timeline

HOW_TO_INSTALL = (
    "backend: 'torchcodec' needs an extra; pip install 'blackbox-anon[torchcodec]', and FFmpeg's "
    "shared libraries on the system"
)


class TorchCodecDecoder(AbstractDecoder):
    """Seeks H.264 only: its random access in AVI is wrong, and the system's FFmpeg may round.

    Raises:
        ImportError: Naming the extra, if torchcodec or FFmpeg's libraries are not there.
    """

    def __init__(self) -> None:
        try:
            import_module("torchcodec.decoders")
        except (ImportError, RuntimeError, OSError) as error:  # RuntimeError: FFmpeg is missing
            raise ImportError(f"{HOW_TO_INSTALL}; found {_first_line(error)}") from error

    @override
    def seeks(self, timeline: Timeline) -> bool:
        return timeline.codec == "h264" and timeline.plain

    @override
    def frames(self, timeline: Timeline, indices: Sequence[int]) -> list[np.ndarray] | None:
        try:
            video_decoder = import_module("torchcodec.decoders").VideoDecoder
            decoder = video_decoder(timeline.path, dimension_order="NHWC", num_ffmpeg_threads=1)
            if len(decoder) != timeline.num_frames:
                return None
            return list(decoder.get_frames_at(list(indices)).data.numpy())
        except (RuntimeError, ValueError, IndexError) as error:
            raise DecodingError(f"torchcodec: {error}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", maxsplit=1)[0]
