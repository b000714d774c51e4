"""Video files become arrays, and frame ``k`` is what ``ffmpeg`` gives as frame ``k``.

Nothing here imports torch (torchcodec apart), so that the process that decodes starts in a third
of a second. Data sets use :class:`blackbox_anon.decoding.ClipReader`, not this package.

Example:
    >>> import tempfile, torch
    >>> from blackbox_anon.media import write_video
    >>> path = tempfile.mkdtemp() + "/clip.mp4"
    >>> write_video(path, torch.zeros(5, 3, 32, 48, dtype=torch.uint8), fps=25)
    >>> [frame.shape for frame in read_frames(path, lambda n: [0, n - 1], PyAVDecoder())]
    [(32, 48, 3), (32, 48, 3)]
"""

from blackbox_anon.decoders.abstract import AbstractDecoder
from blackbox_anon.decoders.clip import DECODERS, Backend, count_frames, read_frames
from blackbox_anon.decoders.decord_decoder import DecordDecoder
from blackbox_anon.decoders.errors import DecodingError
from blackbox_anon.decoders.pyav_decoder import PyAVDecoder
from blackbox_anon.decoders.remarks import find_remarks
from blackbox_anon.decoders.timeline import Timeline
from blackbox_anon.decoders.torchcodec_decoder import TorchCodecDecoder

__all__ = [
    "DECODERS",
    "AbstractDecoder",
    "Backend",
    "DecodingError",
    "DecordDecoder",
    "PyAVDecoder",
    "Timeline",
    "TorchCodecDecoder",
    "count_frames",
    "find_remarks",
    "read_frames",
]
