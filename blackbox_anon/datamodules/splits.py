"""Clips of human actions by one of three official splits, as HMDB51 and UCF101 have them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from typing_extensions import override

from blackbox_anon.datamodules.abstract import AbstractDataModule, Role, Stage
from blackbox_anon.decoding import ClipReader

Split = Literal[1, 2, 3]


@dataclass(frozen=True)
class PublishedClips:
    """What holds for a set's clips with or without attributes, which others published.

    Args:
        classes: Reads the class names by label below the set's folder; needs no video.
        as_answer: Writes a class name as answers are written.
        counts: Training and test clips of each split.
    """

    classes: Callable[[str], list[str]]
    as_answer: Callable[[str], str]
    counts: Mapping[Split, tuple[int, int]]


class AbstractSplitDataModule(AbstractDataModule):
    """Actions of clips by an official split.

    Trains on the split's training clips, validates and tests on its test clips.

    Args:
        root: The folder of the data set.
        split: Official split.
        reader: How clips become frames; ``None`` is ``ClipReader()``.
        batch_size: Clips per batch and device.
        num_workers: Worker processes per loader.
        max_unreadable: Different files that may fail before the run is stopped.
        seed: Seed of the shuffle.
    """

    published: ClassVar[PublishedClips]
    """Classes and counts of the clips."""

    def __init__(
        self,
        root: str,
        *,
        split: Split = 1,
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
        self.split: Split = split
        self.reader = reader or ClipReader()

    @property
    def clips_root(self) -> str:
        """The folder with the clips and the lists of the splits."""
        return self.root

    @property
    @override
    def classes(self) -> list[str]:
        return self.published.classes(self.clips_root)

    @property
    @override
    def class_texts(self) -> list[str]:
        return [self.published.as_answer(name) for name in self.classes]

    @override
    def official_count(self, stage: Stage, role: Role) -> int | None:
        return self.published.counts[self.split][stage != "train"]
