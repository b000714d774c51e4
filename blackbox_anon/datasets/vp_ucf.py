"""VP-UCF101: UCF101's clips with video-level private attributes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from blackbox_anon.datasets.attributes import VITA_ATTRIBUTES
from blackbox_anon.datasets.ucf import UCF101
from blackbox_anon.datasets.video_attributes import VideoAttributes
from blackbox_anon.datasets.vp_labels import read_vp_labels
from blackbox_anon.decoding import ClipReader


class VPUCF101(VideoAttributes):
    """VP-UCF101: UCF101's 13,320 clips with five private attributes each.

    Expects ``ucf101_privacy_attribute_label.pickle`` or ``vp_ucf101.csv``, and :class:`UCF101`
    below ``ucf_root``; all else is as for :class:`VPHMDB51`.

    Args:
        root: The folder with the label file.
        split: Official split of UCF101.
        train: Its train list, else its test list.
        ucf_root: The folder with UCF101; ``None`` is ``root``.
        attributes: Columns in order.
        reader: How clips become frames; ``None`` is ``ClipReader()``.

    Raises:
        DatasetNotFoundError: If UCF101, the label file or a clip's label is missing.
        ValueError: If ``split`` or an attribute is unknown.
    """

    def __init__(
        self,
        root: str | Path,
        split: Literal[1, 2, 3] = 1,
        *,
        train: bool = True,
        ucf_root: str | Path | None = None,
        attributes: Sequence[str] = VITA_ATTRIBUTES,
        reader: ClipReader | None = None,
    ) -> None:
        labels = read_vp_labels(root, "ucf101")
        clips = UCF101(ucf_root or root, split, train=train, reader=reader)
        super().__init__(clips, labels, attributes=attributes)
