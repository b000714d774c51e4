"""Files on disk become samples.

Every dataset is a map from an index to a dictionary, and only the files decide what an index
gives. :class:`UCF101` has clips with an action, :class:`VISPR` photographs with private
attributes, :class:`MediaFolder` anything of your own. A bad file raises
:class:`UnreadableFileError`; :class:`SkipUnreadable` replaces it and keeps count.

Example:
    >>> from blackbox_anon.datasets import ATTRIBUTE_NAMES, VISPR1_ATTRIBUTES, clip_indices
    >>> [ATTRIBUTE_NAMES[a] for a in VISPR1_ATTRIBUTES][:3]
    ['skin color', 'gender', 'complete face']
    >>> clip_indices(num_frames=240, clip_frames=8)
    [0, 34, 68, 102, 137, 171, 205, 239]
"""

from blackbox_anon.datasets.attributes import (
    ATTRIBUTE_NAMES,
    VISPR1_ATTRIBUTES,
    VISPR2_ATTRIBUTES,
)
from blackbox_anon.datasets.folder import MediaFolder, media_files
from blackbox_anon.datasets.image import read_image
from blackbox_anon.datasets.resizing import Crop, resize
from blackbox_anon.datasets.skipping import SkipUnreadable, check_unreadable, collate
from blackbox_anon.datasets.ucf import UCF101, ucf101_classes
from blackbox_anon.datasets.unreadable import UnreadableFileError
from blackbox_anon.datasets.video import clip_indices, read_clip
from blackbox_anon.datasets.vispr import VISPR, VISPRSplit

__all__ = [
    "ATTRIBUTE_NAMES",
    "UCF101",
    "VISPR",
    "VISPR1_ATTRIBUTES",
    "VISPR2_ATTRIBUTES",
    "Crop",
    "MediaFolder",
    "SkipUnreadable",
    "UnreadableFileError",
    "VISPRSplit",
    "check_unreadable",
    "clip_indices",
    "collate",
    "media_files",
    "read_clip",
    "read_image",
    "resize",
    "ucf101_classes",
]
