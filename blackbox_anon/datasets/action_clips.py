"""Clips of human actions, each a file somewhere among the videos of a folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor
from typing_extensions import override

from blackbox_anon.datasets.abstract import AbstractDataset
from blackbox_anon.datasets.video_files import VideoFiles
from blackbox_anon.decoding import ClipReader


class ActionClips(AbstractDataset):
    """Clips by name, with their action and without attributes.

    Args:
        names: Clips as ``<class>/<clip>.avi``.
        labels: Their labels.
        classes: Class names by label.
        videos: Where the clips are looked up.
        reader: How clips become frames; ``None`` is ``ClipReader()``.
    """

    def __init__(
        self,
        names: list[str],
        labels: list[int],
        *,
        classes: list[str],
        videos: VideoFiles,
        reader: ClipReader | None,
    ) -> None:
        self.names, self.labels, self.classes = names, labels, classes
        self.attributes: list[str] = []
        self.reader = reader or ClipReader()
        self._videos = videos

    @override
    def file(self, index: int) -> Path:
        return self._videos.find(self.names[index])

    @override
    def targets(self, index: int) -> dict[str, Any]:
        return {"label": self.labels[index]}

    @override
    def frames(self, index: int) -> Tensor:
        return self.reader(self.file(index))


def folder_labels(names: Sequence[str], classes: Sequence[str]) -> list[int]:
    """Labels of clips whose folders are named as their classes, to the letter.

    Args:
        names: Clips as ``<class>/<clip>.avi``.
        classes: Class names by label.

    Returns:
        A label per clip.

    Example:
        >>> folder_labels(["wave/a.avi", "run/b.avi"], ["run", "wave"])
        [1, 0]
    """
    labels = {name: label for label, name in enumerate(classes)}
    return [labels[name.split("/")[0]] for name in names]


def check_split(split: int) -> None:
    """Refuse what is none of the three official splits of HMDB51 and UCF101.

    Args:
        split: As given.

    Raises:
        ValueError: If it is not 1, 2 or 3.
    """
    if split not in (1, 2, 3):
        raise ValueError(f"split: expected 1, 2 or 3, found {split!r}")
