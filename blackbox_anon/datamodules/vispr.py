"""VISPR for privacy."""

from typing import ClassVar, Literal

from typing_extensions import override

from blackbox_anon.datamodules.abstract import Role, Stage
from blackbox_anon.datamodules.attributed import AbstractAttributedDataModule
from blackbox_anon.datamodules.choosing import chosen_attributes
from blackbox_anon.datasets import (
    PA_HMDB51_ATTRIBUTES,
    VISPR,
    VISPR1_ATTRIBUTES,
    VISPR2_ATTRIBUTES,
    VISPR_ATTRIBUTES,
    AbstractDataset,
    Crop,
    VISPRSplit,
)
from blackbox_anon.datasets.vispr import EXPECTED

NAMED = {
    "vispr1": VISPR1_ATTRIBUTES,
    "vispr2": VISPR2_ATTRIBUTES,
    "pa_hmdb51": PA_HMDB51_ATTRIBUTES,
}
OFFICIAL = {"train2017": 10000, "val2017": 4167, "test2017": 8000}


class VISPRDataModule(AbstractAttributedDataModule):
    """Private attributes of VISPR's photographs.

    Trains on ``train2017``, validates on ``val_split``, tests on ``test2017``.

    Args:
        root: See :class:`~blackbox_anon.datasets.VISPR`.
        attributes: Ids in the order of the label columns, or the name of a published set:
            ``vispr1`` (7), ``vispr2`` (7), ``pa_hmdb51`` (the 6 that PA-HMDB51 has too).
        val_split: Photographs to validate on; many copies lack ``val2017``.
        size: Side of an image in pixels; ``None`` keeps the native size.
        crop: See :func:`~blackbox_anon.datasets.resize`.
        batch_size: Photographs per batch and device.
        num_workers: Worker processes per loader.
        max_unreadable: Different files that may fail before the run is stopped.
        seed: Seed of the shuffle.
    """

    title: ClassVar[str] = "VISPR"
    roles: ClassVar[tuple[Role, ...]] = ("privacy",)
    source: ClassVar[str] = "vispr"
    instructions: ClassVar[str] = EXPECTED

    def __init__(
        self,
        root: str,
        *,
        attributes: Literal["vispr1", "vispr2", "pa_hmdb51"] | list[str] = "vispr1",
        val_split: VISPRSplit = "val2017",
        size: int | None = 224,
        crop: Crop = "center",
        batch_size: int = 16,
        num_workers: int = 2,
        max_unreadable: int = 10,
        seed: int = 0,
    ) -> None:
        super().__init__(
            batch_size=batch_size, num_workers=num_workers, max_unreadable=max_unreadable, seed=seed
        )
        self.root = root
        self.chosen = chosen_attributes(attributes, NAMED, VISPR_ATTRIBUTES)
        self.val_split: VISPRSplit = val_split
        self.size = size
        self.crop: Crop = crop

    @override
    def build(self, stage: Stage, role: Role) -> AbstractDataset:
        return VISPR(
            self.root,
            self._split(stage),
            attributes=self.chosen,
            size=self.size,
            crop=self.crop,
        )

    @override
    def official_count(self, stage: Stage, role: Role) -> int | None:
        return OFFICIAL[self._split(stage)]

    def _split(self, stage: Stage) -> VISPRSplit:
        splits: dict[Stage, VISPRSplit] = {
            "train": "train2017",
            "val": self.val_split,
            "test": "test2017",
        }
        return splits[stage]
