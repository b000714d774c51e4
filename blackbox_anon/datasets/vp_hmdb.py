"""VP-HMDB51: HMDB51's clips with video-level private attributes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from blackbox_anon.datasets.attributes import VITA_ATTRIBUTES
from blackbox_anon.datasets.hmdb import HMDB51
from blackbox_anon.datasets.video_attributes import VideoAttributes
from blackbox_anon.datasets.vp_labels import read_vp_labels
from blackbox_anon.decoding import ClipReader


class VPHMDB51(VideoAttributes):
    """VP-HMDB51: HMDB51's 6,766 clips with five private attributes each, by majority of annotators.

    Expects ``hmdb51_privacy_attribute_label.pickle`` of the authors, or ``vp_hmdb51.csv``, in
    ``root`` or ``root/annotations``, and :class:`HMDB51` below ``hmdb_root``, whose splits it
    takes. Its clips are named ``.mp4`` there and are HMDB51's AVI files. The file does not name
    its columns; their order was inferred from PA-HMDB51's labels of the same clips. MIT (labels);
    cite Li et al., `STPrivacy <https://arxiv.org/abs/2301.03046>`_ (2023).

    A sample is ``frames`` ``(T, 3, H, W)`` in ``[0, 1]``, ``label``, ``attributes`` ``(A,)``,
    ``name``.

    Args:
        root: The folder with the label file.
        split: Official split of HMDB51.
        train: Its training clips, else its test clips.
        hmdb_root: The folder with HMDB51; ``None`` is ``root``.
        attributes: Columns in order.
        reader: How clips become frames; ``None`` is ``ClipReader()``.

    Raises:
        DatasetNotFoundError: If HMDB51, the label file or a clip's label is missing.
        ValueError: If ``split`` or an attribute is unknown.
    """

    def __init__(
        self,
        root: str | Path,
        split: Literal[1, 2, 3] = 1,
        *,
        train: bool = True,
        hmdb_root: str | Path | None = None,
        attributes: Sequence[str] = VITA_ATTRIBUTES,
        reader: ClipReader | None = None,
    ) -> None:
        labels = read_vp_labels(root, "hmdb51")
        clips = HMDB51(hmdb_root or root, split, train=train, reader=reader)
        super().__init__(clips, labels, attributes=attributes)
