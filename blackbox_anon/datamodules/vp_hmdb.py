"""VP-HMDB51 for utility and privacy: one clip, its action and its attributes."""

from typing import ClassVar

from typing_extensions import override

from blackbox_anon.datamodules.abstract import Role, Stage
from blackbox_anon.datamodules.hmdb import HMDB51_CLIPS
from blackbox_anon.datamodules.splits import PublishedClips, Split
from blackbox_anon.datamodules.vp import AbstractVPDataModule
from blackbox_anon.datasets import VPHMDB51, AbstractDataset
from blackbox_anon.datasets.vp_labels import EXPECTED
from blackbox_anon.decoding import ClipReader


class VPHMDB51DataModule(AbstractVPDataModule):
    """Actions and video-level attributes of HMDB51's clips, by its official splits.

    Trains on the split's training clips, validates and tests on its test clips.

    Args:
        root: The folder with the label file, see :class:`~blackbox_anon.datasets.VPHMDB51`.
        hmdb_root: The folder with HMDB51; ``None`` is ``root``.
        split: Official split.
        attributes: Columns in order; ``None`` is all five.
        reader: How clips become frames; ``None`` is ``ClipReader()``.
        batch_size: Clips per batch and device.
        num_workers: Worker processes per loader.
        max_unreadable: Different files that may fail before the run is stopped.
        seed: Seed of the shuffle.
    """

    title: ClassVar[str] = "VP-HMDB51"
    source: ClassVar[str] = "hmdb51"
    published: ClassVar[PublishedClips] = HMDB51_CLIPS
    instructions: ClassVar[str] = EXPECTED.format(stem="hmdb51")

    def __init__(
        self,
        root: str,
        *,
        hmdb_root: str | None = None,
        split: Split = 1,
        attributes: list[str] | None = None,
        reader: ClipReader | None = None,
        batch_size: int = 8,
        num_workers: int = 2,
        max_unreadable: int = 10,
        seed: int = 0,
    ) -> None:
        super().__init__(
            root,
            clips_root=hmdb_root,
            split=split,
            attributes=attributes,
            reader=reader,
            batch_size=batch_size,
            num_workers=num_workers,
            max_unreadable=max_unreadable,
            seed=seed,
        )
        self.hmdb_root = hmdb_root

    @override
    def build(self, stage: Stage, role: Role) -> AbstractDataset:
        return VPHMDB51(
            self.root,
            self.split,
            train=stage == "train",
            hmdb_root=self.hmdb_root,
            attributes=self.chosen,
            reader=self.reader,
        )
