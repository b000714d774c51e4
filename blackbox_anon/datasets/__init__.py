"""Files on disk become samples.

Every dataset is a map from an index to a dictionary, and only the files decide what an index
gives. :class:`HMDB51` and :class:`UCF101` have clips with an action, :class:`VISPR` photographs
with private attributes, :class:`PAHMDB51` and :class:`PAHMDB51Frames`, :class:`VPHMDB51` and
:class:`VPUCF101` clips or frames with both, :class:`OKVQA` images with a question,
:class:`OKVQAPrivacy` images with private attributes, :class:`MediaFolder` anything of your own. All
are :class:`AbstractDataset`: names, files and labels can be asked for without opening any media. A
bad file raises :class:`UnreadableFileError`; :class:`SkipUnreadable` replaces it and keeps count.

Example:
    >>> from blackbox_anon.datasets import ATTRIBUTE_NAMES, VISPR1_ATTRIBUTES, clip_indices
    >>> [ATTRIBUTE_NAMES[a] for a in VISPR1_ATTRIBUTES][:3]
    ['skin color', 'gender', 'complete face']
    >>> clip_indices(num_frames=240, clip_frames=8)
    [0, 34, 68, 102, 137, 171, 205, 239]
"""

from blackbox_anon.datasets.abstract import AbstractDataset
from blackbox_anon.datasets.attributes import (
    ATTRIBUTE_NAMES,
    PA_HMDB51_ATTRIBUTES,
    VISPR1_ATTRIBUTES,
    VISPR2_ATTRIBUTES,
    VITA_ATTRIBUTES,
)
from blackbox_anon.datasets.excluding import Excluding
from blackbox_anon.datasets.folder import MediaFolder, media_files
from blackbox_anon.datasets.hmdb import HMDB51
from blackbox_anon.datasets.hmdb_splits import hmdb51_classes, hmdb51_split
from blackbox_anon.datasets.image import read_image
from blackbox_anon.datasets.okvqa import OKVQA, PEOPLE_AND_SPORTS
from blackbox_anon.datasets.okvqa_privacy import OKVQAPrivacy
from blackbox_anon.datasets.okvqa_questions import AnswerField, OKVQASplit, Question
from blackbox_anon.datasets.pa_hmdb import PAHMDB51
from blackbox_anon.datasets.pa_hmdb_frames import PAHMDB51Frames
from blackbox_anon.datasets.pa_hmdb_labels import SemiNudityFrom, pa_hmdb51_classes
from blackbox_anon.datasets.resizing import Crop, resize
from blackbox_anon.datasets.skipping import SkipUnreadable, check_unreadable, collate
from blackbox_anon.datasets.ucf import UCF101, ucf101_classes
from blackbox_anon.datasets.unreadable import UnreadableFileError
from blackbox_anon.datasets.video import clip_indices, read_clip
from blackbox_anon.datasets.video_attributes import VideoAttributes
from blackbox_anon.datasets.vispr import VISPR, VISPRSplit
from blackbox_anon.datasets.vispr_attributes import VISPR_ATTRIBUTES
from blackbox_anon.datasets.vp_hmdb import VPHMDB51
from blackbox_anon.datasets.vp_labels import read_vp_labels
from blackbox_anon.datasets.vp_ucf import VPUCF101

__all__ = [
    "ATTRIBUTE_NAMES",
    "HMDB51",
    "OKVQA",
    "PAHMDB51",
    "PA_HMDB51_ATTRIBUTES",
    "PEOPLE_AND_SPORTS",
    "UCF101",
    "VISPR",
    "VISPR1_ATTRIBUTES",
    "VISPR2_ATTRIBUTES",
    "VISPR_ATTRIBUTES",
    "VITA_ATTRIBUTES",
    "VPHMDB51",
    "VPUCF101",
    "AbstractDataset",
    "AnswerField",
    "Crop",
    "Excluding",
    "MediaFolder",
    "OKVQAPrivacy",
    "OKVQASplit",
    "PAHMDB51Frames",
    "Question",
    "SemiNudityFrom",
    "SkipUnreadable",
    "UnreadableFileError",
    "VISPRSplit",
    "VideoAttributes",
    "check_unreadable",
    "clip_indices",
    "collate",
    "hmdb51_classes",
    "hmdb51_split",
    "media_files",
    "pa_hmdb51_classes",
    "read_clip",
    "read_image",
    "read_vp_labels",
    "resize",
    "ucf101_classes",
]
