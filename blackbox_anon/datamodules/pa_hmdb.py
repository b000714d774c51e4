"""PA-HMDB51 for utility, clip by clip, and for privacy, frame by frame."""

from typing import ClassVar, Literal

from typing_extensions import override

from blackbox_anon.datamodules.abstract import Role, Stage
from blackbox_anon.datamodules.attributed import AbstractAttributedDataModule
from blackbox_anon.datamodules.choosing import chosen_attributes
from blackbox_anon.datasets import (
    PA_HMDB51_ATTRIBUTES,
    PAHMDB51,
    VITA_ATTRIBUTES,
    AbstractDataset,
    PAHMDB51Frames,
    SemiNudityFrom,
    pa_hmdb51_classes,
)
from blackbox_anon.datasets.pa_hmdb_labels import EXPECTED
from blackbox_anon.decoding import ClipReader
from blackbox_anon.scorers import underscore_to_text

NAMED = {"pa_hmdb51": PA_HMDB51_ATTRIBUTES, "vita": VITA_ATTRIBUTES}


class PAHMDB51DataModule(AbstractAttributedDataModule):
    """PA-HMDB51 is tested on, and validated on, as a whole; it has no training part.

    For utility a sample is one of 515 clips with its action, for privacy one of 52,411 frames.

    Args:
        root: See :class:`~blackbox_anon.datasets.PAHMDB51`.
        hmdb_root: The folder with HMDB51's videos; ``None`` is ``root``.
        attributes: Ids in the order of the label columns, or ``pa_hmdb51``, the six that VISPR
            has too, or ``vita``, the five tracks.
        semi_nudity_from: Smallest nudity that is semi-nudity: 2, half naked, or 1, some skin.
        reader: How clips become frames; for privacy every frame is read, whatever its sampling.
            ``None`` is ``ClipReader()``.
        batch_size: Clips, or frames, per batch and device.
        num_workers: Worker processes per loader.
        max_unreadable: Different files that may fail before the run is stopped.
        seed: Seed of the shuffle.
    """

    title: ClassVar[str] = "PA-HMDB51"
    stages: ClassVar[tuple[Stage, ...]] = ("val", "test")
    roles: ClassVar[tuple[Role, ...]] = ("utility", "privacy")
    source: ClassVar[str] = "hmdb51"
    instructions: ClassVar[str] = EXPECTED

    def __init__(
        self,
        root: str,
        *,
        hmdb_root: str | None = None,
        attributes: Literal["pa_hmdb51", "vita"] | list[str] = "pa_hmdb51",
        semi_nudity_from: SemiNudityFrom = 2,
        reader: ClipReader | None = None,
        batch_size: int = 8,
        num_workers: int = 2,
        max_unreadable: int = 10,
        seed: int = 0,
    ) -> None:
        super().__init__(
            batch_size=batch_size, num_workers=num_workers, max_unreadable=max_unreadable, seed=seed
        )
        self.root, self.hmdb_root = root, hmdb_root
        known = (*PA_HMDB51_ATTRIBUTES, *VITA_ATTRIBUTES)
        self.chosen = chosen_attributes(attributes, NAMED, known)
        self.semi_nudity_from: SemiNudityFrom = semi_nudity_from
        self.reader = reader or ClipReader()

    @property
    @override
    def classes(self) -> list[str]:
        return pa_hmdb51_classes(self.root)

    @property
    @override
    def class_texts(self) -> list[str]:
        return [underscore_to_text(name) for name in self.classes]

    @override
    def build(self, stage: Stage, role: Role) -> AbstractDataset:
        if stage == "train":
            raise ValueError("PA-HMDB51: expected to be tested on, found as a training set")
        if role == "utility":
            return PAHMDB51(self.root, hmdb_root=self.hmdb_root, reader=self.reader)
        return PAHMDB51Frames(
            self.root,
            hmdb_root=self.hmdb_root,
            attributes=self.chosen,
            semi_nudity_from=self.semi_nudity_from,
            reader=self.reader,
        )

    @override
    def official_count(self, stage: Stage, role: Role) -> int | None:
        return 515 if role == "utility" else 52411
