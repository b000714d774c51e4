"""Clips of an official split with video-level attributes beside their action."""

from typing import ClassVar

from typing_extensions import override

from blackbox_anon.datamodules.abstract import Role
from blackbox_anon.datamodules.attributed import AbstractAttributedDataModule
from blackbox_anon.datamodules.choosing import chosen_attributes
from blackbox_anon.datamodules.splits import AbstractSplitDataModule, Split
from blackbox_anon.datasets import VITA_ATTRIBUTES
from blackbox_anon.decoding import ClipReader


class AbstractVPDataModule(AbstractSplitDataModule, AbstractAttributedDataModule):
    """Actions and video-level attributes of another set's clips, by its official splits.

    Args:
        root: The folder with the label file.
        clips_root: The folder with the clips and their splits; ``None`` is ``root``.
        split: Official split.
        attributes: Columns in order; ``None`` is all five.
        reader: How clips become frames; ``None`` is ``ClipReader()``.
        batch_size: Clips per batch and device.
        num_workers: Worker processes per loader.
        max_unreadable: Different files that may fail before the run is stopped.
        seed: Seed of the shuffle.
    """

    roles: ClassVar[tuple[Role, ...]] = ("utility", "privacy")

    def __init__(
        self,
        root: str,
        *,
        clips_root: str | None,
        split: Split,
        attributes: list[str] | None,
        reader: ClipReader | None,
        batch_size: int,
        num_workers: int,
        max_unreadable: int,
        seed: int,
    ) -> None:
        super().__init__(
            root,
            split=split,
            reader=reader,
            batch_size=batch_size,
            num_workers=num_workers,
            max_unreadable=max_unreadable,
            seed=seed,
        )
        self._clips_root = clips_root or root
        given = VITA_ATTRIBUTES if attributes is None else attributes
        self.chosen = chosen_attributes(given, {}, VITA_ATTRIBUTES)

    @property
    @override
    def clips_root(self) -> str:
        return self._clips_root
