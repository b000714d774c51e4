"""Where a VISPR image's attributes come from: one JSON per image, or one table per split."""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from typing_extensions import override

from blackbox_anon.datasets.lists import read_table
from blackbox_anon.datasets.unreadable import UnreadableFileError


class AbstractLabels(ABC):
    """From an image id to the attributes present."""

    @abstractmethod
    def __call__(self, image_id: str) -> frozenset[str]:
        """Attribute ids that the image shows.

        Args:
            image_id: For example ``2017_10001018``.

        Returns:
            The ids.

        Raises:
            UnreadableFileError: If the image has no readable annotation.
        """


class JSONLabels(AbstractLabels):
    """The authors' files, ``<folder>/<id>.json`` with the key ``labels``; read when asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @override
    def __call__(self, image_id: str) -> frozenset[str]:
        file = self.folder / f"{image_id}.json"
        try:
            return frozenset(map(str, json.loads(file.read_text("utf-8"))["labels"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UnreadableFileError(file, f"{type(error).__name__}: {error}") from error


class CSVLabels(AbstractLabels):
    """A table with the column ``id`` and one 0/1 column per attribute.

    Args:
        file: The table.
        attributes: Columns it must have.

    Raises:
        DatasetNotFoundError: If a column is missing.
    """

    def __init__(self, file: Path, attributes: Sequence[str]) -> None:
        self.file = file
        rows = read_table(file, ["id", *attributes])
        self._present = {
            row["id"]: frozenset(a for a in attributes if float(row[a])) for row in rows
        }

    @override
    def __call__(self, image_id: str) -> frozenset[str]:
        try:
            return self._present[image_id]
        except KeyError as error:
            raise UnreadableFileError(self.file, f"no row for {image_id}") from error
