"""UCF101 for utility."""

from typing import ClassVar, Literal

from typing_extensions import override

from blackbox_anon.datamodules.abstract import AbstractDataModule, Role, Stage
from blackbox_anon.datasets import UCF101, AbstractDataset, ucf101_classes
from blackbox_anon.datasets.ucf import EXPECTED
from blackbox_anon.decoding import ClipReader
from blackbox_anon.scorers import camel_case_to_text

OFFICIAL = {1: (9537, 3783), 2: (9586, 3734), 3: (9624, 3696)}
"""Training and test clips of each split."""


class UCF101DataModule(AbstractDataModule):
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

    def __init__(
        self,
        root: str,
        *,
        split: Literal[1, 2, 3] = 1,
        reader: ClipReader | None = None,
        batch_size: int = 8,
        num_workers: int = 2,
        max_unreadable: int = 10,
        seed: int = 0,
    ) -> None:
        super().__init__(
            batch_size=batch_size, num_workers=num_workers, max_unreadable=max_unreadable, seed=seed
        )
        self.root = root
        self.split: Literal[1, 2, 3] = split
        self.reader = reader or ClipReader()

    @property
    @override
    def classes(self) -> list[str]:
        return ucf101_classes(self.root)

    @property
    @override
    def class_texts(self) -> list[str]:
        return [camel_case_to_text(name) for name in self.classes]

    @override
    def build(self, stage: Stage, role: Role) -> AbstractDataset:
        return UCF101(self.root, self.split, train=stage == "train", reader=self.reader)

    @override
    def official_count(self, stage: Stage, role: Role) -> int | None:
        return OFFICIAL[self.split][stage != "train"]
