"""HMDB51 for utility."""

from typing import ClassVar, Literal

from typing_extensions import override

from blackbox_anon.datamodules.abstract import AbstractDataModule, Role, Stage
from blackbox_anon.datasets import HMDB51, AbstractDataset, hmdb51_classes
from blackbox_anon.datasets.hmdb_splits import EXPECTED
from blackbox_anon.decoding import ClipReader
from blackbox_anon.scorers import underscore_to_text


class HMDB51DataModule(AbstractDataModule):
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
        return hmdb51_classes(self.root)

    @property
    @override
    def class_texts(self) -> list[str]:
        return [underscore_to_text(name) for name in self.classes]

    @override
    def build(self, stage: Stage, role: Role) -> AbstractDataset:
        return HMDB51(self.root, self.split, train=stage == "train", reader=self.reader)

    @override
    def official_count(self, stage: Stage, role: Role) -> int | None:
        return 3570 if stage == "train" else 1530
