"""Video files become frames, and frame ``k`` is frame ``k`` whichever decoder reads it.

Example:
    >>> from blackbox_anon.decoding import ClipReader, StridedSampling
    >>> StridedSampling(num_frames=4, stride=2).indices(20)
    [6, 8, 10, 12]
    >>> reader = ClipReader(StridedSampling(16, 2), size=112)  # reader(path): (16, 3, 112, 112)
"""

from blackbox_anon.decoders import Backend
from blackbox_anon.decoding.reader import ClipReader
from blackbox_anon.decoding.resizing import Crop, resize
from blackbox_anon.decoding.sampling import (
    AbstractSampling,
    EveryFrame,
    StridedSampling,
    UniformSampling,
)
from blackbox_anon.decoding.unreadable import UnreadableFileError

__all__ = [
    "AbstractSampling",
    "Backend",
    "ClipReader",
    "Crop",
    "EveryFrame",
    "StridedSampling",
    "UniformSampling",
    "UnreadableFileError",
    "resize",
]
