"""What every labelled data set can tell, with or without opening its media."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.utils.data import Dataset


class AbstractDataset(Dataset[dict[str, Any]], ABC):
    """A list of named samples: where each lies, what it is labelled with, what it shows.

    A sample is ``frames`` in ``[0, 1]``, the targets, and ``name``.
    """

    names: list[str]
    """A stable name per sample, such as the official list writes it."""
    classes: list[str]
    """Class names by label; empty where samples have no class."""
    attributes: list[str]
    """Attribute ids by column of the labels; empty where samples have none."""

    @property
    def origins(self) -> list[str]:
        """The official name of the file each sample is taken from."""
        return self.names

    @abstractmethod
    def file(self, index: int) -> Path:
        """Where the media file of a sample lies, or should lie.

        Args:
            index: Which sample.

        Returns:
            The path, whether or not there is such a file.
        """

    @abstractmethod
    def targets(self, index: int) -> dict[str, Any]:
        """Labels of a sample; opens no media.

        Args:
            index: Which sample.

        Returns:
            ``label`` (int) and ``attributes`` (float, shape ``(A,)``), as far as the set has them.

        Raises:
            UnreadableFileError: If the sample's annotation cannot be read.
        """

    @abstractmethod
    def frames(self, index: int) -> Tensor:
        """Pixels of a sample.

        Args:
            index: Which sample.

        Returns:
            A clip ``(T, 3, H, W)`` or an image ``(3, H, W)``, uint8, RGB.

        Raises:
            UnreadableFileError: If the file is missing or cannot be decoded.
        """

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> dict[str, Any]:
        targets = self.targets(index)
        return {
            "frames": self.frames(index).float() / 255,
            **targets,
            "name": self.names[index],
        }
