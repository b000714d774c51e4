"""VP-UCF101 for utility and privacy: one clip, its action and its attributes."""

from typing import ClassVar, Literal

from typing_extensions import override

from blackbox_anon.datamodules.abstract import AbstractDataModule, Role, Stage
from blackbox_anon.datamodules.choosing import chosen_attributes
from blackbox_anon.datamodules.ucf import OFFICIAL
from blackbox_anon.datasets import VITA_ATTRIBUTES, VPUCF101, AbstractDataset, ucf101_classes
from blackbox_anon.datasets.vp_labels import EXPECTED
from blackbox_anon.decoding import ClipReader
from blackbox_anon.scorers import camel_case_to_text


class VPUCF101DataModule(AbstractDataModule):
    """Actions and video-level attributes of UCF101's clips, by its official splits.

    Trains on the split's training clips, validates and tests on its test clips.

    Args:
        root: The folder with the label file, see :class:`~blackbox_anon.datasets.VPUCF101`.
        ucf_root: The folder with UCF101; ``None`` is ``root``.
        split: Official split.
        attributes: Columns in order; ``None`` is all five.
        reader: How clips become frames; ``None`` is ``ClipReader()``.
        batch_size: Clips per batch and device.
        num_workers: Worker processes per loader.
        max_unreadable: Different files that may fail before the run is stopped.
        seed: Seed of the shuffle.
    """

    title: ClassVar[str] = "VP-UCF101"
    roles: ClassVar[tuple[Role, ...]] = ("utility", "privacy")
    source: ClassVar[str] = "ucf101"
    instructions: ClassVar[str] = EXPECTED.format(stem="ucf101")

    def __init__(
        self,
        root: str,
        *,
        ucf_root: str | None = None,
        split: Literal[1, 2, 3] = 1,
        attributes: list[str] | None = None,
        reader: ClipReader | None = None,
        batch_size: int = 8,
        num_workers: int = 2,
        max_unreadable: int = 10,
        seed: int = 0,
    ) -> None:
        super().__init__(
            batch_size=batch_size, num_workers=num_workers, max_unreadable=max_unreadable, seed=seed
        )
        self.root, self.ucf_root = root, ucf_root
        self.split: Literal[1, 2, 3] = split
        given = VITA_ATTRIBUTES if attributes is None else attributes
        self.chosen = chosen_attributes(given, {}, VITA_ATTRIBUTES)
        self.reader = reader or ClipReader()

    @property
    @override
    def classes(self) -> list[str]:
        return ucf101_classes(self.ucf_root or self.root)

    @property
    @override
    def class_texts(self) -> list[str]:
        return [camel_case_to_text(name) for name in self.classes]

    @property
    @override
    def attributes(self) -> list[str]:
        return self.chosen

    @property
    def num_attributes(self) -> int:
        """Columns of the attribute labels."""
        return len(self.chosen)

    @override
    def build(self, stage: Stage, role: Role) -> AbstractDataset:
        return VPUCF101(
            self.root,
            self.split,
            train=stage == "train",
            ucf_root=self.ucf_root,
            attributes=self.chosen,
            reader=self.reader,
        )

    @override
    def official_count(self, stage: Stage, role: Role) -> int | None:
        return OFFICIAL[self.split][stage != "train"]
