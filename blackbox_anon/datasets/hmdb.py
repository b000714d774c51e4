"""HMDB51 from its official folders and split files."""

from pathlib import Path
from typing import Literal

from blackbox_anon.datasets.action_clips import ActionClips, check_split, folder_labels
from blackbox_anon.datasets.hmdb_splits import EXPECTED, hmdb51_classes, hmdb51_split
from blackbox_anon.datasets.video_files import videos_of
from blackbox_anon.decoding import ClipReader
from blackbox_anon.errors import DatasetNotFoundError

VIDEO_FOLDERS = ("hmdb51_org", "hmdb51", "HMDB51", "videos")


class HMDB51(ActionClips):
    """HMDB51: 6,766 clips of 51 human actions, in three official splits.

    Expects ``<root>/hmdb51_org/<class>/<clip>.avi`` and
    ``<root>/testTrainMulti_7030_splits/<class>_test_split<1|2|3>.txt``; the class folders may also
    lie in ``hmdb51``, ``videos`` or ``root`` itself. Each split has 70 training and 30 test clips
    a class and leaves the others out. ``label`` is the alphabetical position of the class. A
    listed clip that is not on disk is an unreadable sample. CC BY 4.0; cite Kuehne et al., `HMDB
    <https://doi.org/10.1109/ICCV.2011.6126543>`_ (2011).

    A sample is ``frames`` ``(T, 3, H, W)`` in ``[0, 1]``, ``label``, ``name``
    (``<class>/<clip>.avi``).

    Args:
        root: The folder with the videos and the split files.
        split: Official split.
        train: Its training clips, else its test clips.
        reader: How clips become frames; ``None`` is ``ClipReader()``.

    Raises:
        DatasetNotFoundError: If the videos folder or a split file is missing or damaged.
        ValueError: If ``split`` is not 1, 2 or 3.
    """

    def __init__(
        self,
        root: str | Path,
        split: Literal[1, 2, 3] = 1,
        *,
        train: bool = True,
        reader: ClipReader | None = None,
    ) -> None:
        check_split(split)
        classes = hmdb51_classes(root)
        part = "train" if train else "test"
        names = [name for name, p in hmdb51_split(root, split).items() if p == part]
        if not names:
            raise DatasetNotFoundError(f"HMDB51: expected {part} clips of split {split}, found 0")
        super().__init__(
            names,
            folder_labels(names, classes),
            classes=classes,
            videos=videos_of(root, VIDEO_FOLDERS, classes, f"HMDB51 {EXPECTED}"),
            reader=reader,
        )
