"""UCF101 for utility."""

from typing import ClassVar

from typing_extensions import override

from blackbox_anon.datamodules.abstract import Role, Stage
from blackbox_anon.datamodules.splits import AbstractSplitDataModule, PublishedClips
from blackbox_anon.datasets import UCF101, AbstractDataset, ucf101_classes
from blackbox_anon.datasets.ucf import EXPECTED
from blackbox_anon.scorers import camel_case_to_text

UCF101_CLIPS = PublishedClips(
    ucf101_classes,
    camel_case_to_text,
    counts={1: (9537, 3783), 2: (9586, 3734), 3: (9624, 3696)},
)


class UCF101DataModule(AbstractSplitDataModule):
    """Actions of UCF101: trains on a split's train list, validates and tests on its test list.

    Args:
        root: See :class:`~blackbox_anon.datasets.UCF101`.
        split: Official split.
        reader: How clips become frames; ``None`` is ``ClipReader()``.
        batch_size: Clips per batch and device.
        num_workers: Worker processes per loader.
        max_unreadable: Different files that may fail before the run is stopped.
        seed: Seed of the shuffle.
    """

    title: ClassVar[str] = "UCF101"
    roles: ClassVar[tuple[Role, ...]] = ("utility",)
    source: ClassVar[str] = "ucf101"
    instructions: ClassVar[str] = EXPECTED
    published: ClassVar[PublishedClips] = UCF101_CLIPS

    @override
    def build(self, stage: Stage, role: Role) -> AbstractDataset:
        return UCF101(self.root, self.split, train=stage == "train", reader=self.reader)
