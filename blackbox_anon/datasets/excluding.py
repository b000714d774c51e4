"""A data set without the files that another one tests on."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from torch import Tensor
from typing_extensions import override

from blackbox_anon.datasets.abstract import AbstractDataset
from blackbox_anon.datasets.lists import name_key


class Excluding(AbstractDataset):
    """A view of a data set that leaves out some files, by their official names.

    Args:
        dataset: What is viewed.
        origins: Names to leave out; letter case and suffix do not matter.
    """

    def __init__(self, dataset: AbstractDataset, origins: Collection[str]) -> None:
        keys = {name_key(name) for name in origins}
        self.dataset = dataset
        self.kept = [i for i, name in enumerate(dataset.origins) if name_key(name) not in keys]
        self.names = [dataset.names[i] for i in self.kept]
        self.classes, self.attributes = dataset.classes, dataset.attributes

    @property
    def excluded(self) -> int:
        """How many samples were left out."""
        return len(self.dataset) - len(self.kept)

    @property
    @override
    def origins(self) -> list[str]:
        return [self.dataset.origins[i] for i in self.kept]

    @override
    def file(self, index: int) -> Path:
        return self.dataset.file(self.kept[index])

    @override
    def targets(self, index: int) -> dict[str, Any]:
        return self.dataset.targets(self.kept[index])

    @override
    def frames(self, index: int) -> Tensor:
        return self.dataset.frames(self.kept[index])
