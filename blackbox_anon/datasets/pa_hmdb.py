"""PA-HMDB51: the clips, with the action they show."""

from pathlib import Path

from blackbox_anon.datasets.action_clips import ActionClips, folder_labels
from blackbox_anon.datasets.hmdb import VIDEO_FOLDERS
from blackbox_anon.datasets.pa_hmdb_labels import EXPECTED, pa_hmdb51_classes, read_annotations
from blackbox_anon.datasets.video_files import videos_of
from blackbox_anon.decoding import ClipReader


class PAHMDB51(ActionClips):
    """PA-HMDB51's 515 clips of HMDB51 with their actions; a test set.

    Expects ``<root>/PrivacyAttributes/<action>.json``, 51 files, and the videos of
    :class:`~blackbox_anon.datasets.HMDB51` below ``hmdb_root``. ``label`` is the alphabetical
    position of the action, as in HMDB51. 286 of the clips are training clips of HMDB51's split 1:
    train without them (``PairedDataModule`` does). For private attributes see
    :class:`PAHMDB51Frames`. Non-commercial research only; cite Wu et al., `Privacy-Preserving Deep
    Action Recognition <https://arxiv.org/abs/1906.05675>`_ (2020).

    A sample is ``frames`` ``(T, 3, H, W)`` in ``[0, 1]``, ``label``, ``name``
    (``<action>/<clip>.avi``).

    Args:
        root: The folder with ``PrivacyAttributes``.
        hmdb_root: The folder with HMDB51's videos; ``None`` is ``root``.
        reader: How clips become frames; ``None`` is ``ClipReader()``.

    Raises:
        DatasetNotFoundError: If the annotations or the videos folder are missing or damaged.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        hmdb_root: str | Path | None = None,
        reader: ClipReader | None = None,
    ) -> None:
        classes = pa_hmdb51_classes(root)
        names = [clip.name for clip in read_annotations(root)]
        super().__init__(
            names,
            folder_labels(names, classes),
            classes=classes,
            videos=videos_of(hmdb_root or root, VIDEO_FOLDERS, classes, f"PA-HMDB51 {EXPECTED}"),
            reader=reader,
        )
