"""HMDB51 for utility."""

from typing import ClassVar

from typing_extensions import override

from blackbox_anon.datamodules.abstract import Role, Stage
from blackbox_anon.datamodules.splits import AbstractSplitDataModule, PublishedClips
from blackbox_anon.datasets import HMDB51, AbstractDataset, hmdb51_classes
from blackbox_anon.datasets.hmdb_splits import EXPECTED
from blackbox_anon.scorers import underscore_to_text

HMDB51_CLIPS = PublishedClips(
    hmdb51_classes,
    underscore_to_text,
    counts={1: (3570, 1530), 2: (3570, 1530), 3: (3570, 1530)},
)


class HMDB51DataModule(AbstractSplitDataModule):
    """Actions of HMDB51: trains on a split's training clips, validates and tests on its test ones.

    Args:
        root: See :class:`~blackbox_anon.datasets.HMDB51`.
        split: Official split.
        reader: How clips become frames; ``None`` is ``ClipReader()``.
        batch_size: Clips per batch and device.
        num_workers: Worker processes per loader.
        max_unreadable: Different files that may fail before the run is stopped.
        seed: Seed of the shuffle.
    """

    title: ClassVar[str] = "HMDB51"
    roles: ClassVar[tuple[Role, ...]] = ("utility",)
    source: ClassVar[str] = "hmdb51"
    instructions: ClassVar[str] = EXPECTED
    published: ClassVar[PublishedClips] = HMDB51_CLIPS

    @override
    def build(self, stage: Stage, role: Role) -> AbstractDataset:
        return HMDB51(self.root, self.split, train=stage == "train", reader=self.reader)
