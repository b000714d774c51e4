"""VISPR photographs with the private attributes they show."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.datasets.abstract import AbstractDataset
from blackbox_anon.datasets.attributes import VISPR1_ATTRIBUTES, known_attributes
from blackbox_anon.datasets.image import read_image
from blackbox_anon.datasets.lists import read_lines, unique
from blackbox_anon.datasets.resizing import Crop
from blackbox_anon.datasets.vispr_attributes import VISPR_ATTRIBUTES
from blackbox_anon.datasets.vispr_labels import AbstractLabels, CSVLabels, JSONLabels
from blackbox_anon.errors import DatasetNotFoundError

VISPRSplit = Literal["train2017", "val2017", "test2017"]

EXPECTED = """expected
  <root>/<split>.txt                            one annotation path per line; without it, all JSON
  <root>/images/<split>/<id>.jpg                or <root>/<split>/<id>.jpg
  <root>/annotations/<split>/<id>.json          or <root>/<split>/<id>.json,
                                                or one <root>/vispr7_<split>.csv
Get the lists and archives from the VISPR page of "Towards a Visual Privacy Advisor"
(Orekondy, Schiele and Fritz, Max Planck Institute for Informatics) and unpack them there."""


class VISPR(AbstractDataset):
    """VISPR: 22,167 photographs labelled with 68 privacy attributes.

    Expects the list ``<root>/<split>.txt``; images ``<root>/images/<split>/<id>.jpg``, or under
    ``<root>/<split>/`` or ``<root>/images/``; annotations ``<root>/annotations/<split>/<id>.json``
    or ``<root>/<split>/<id>.json``. Where no JSON of the split exists, a table
    ``<root>/vispr7_<split>.csv`` with the columns ``id`` and one 0/1 column per attribute is read
    instead. A label is 1 where the attribute is listed; an image with none of the chosen
    attributes has a row of zeros. The splits are the authors' own. Photographs keep their Flickr
    licences; cite Orekondy et al., `Towards a Visual Privacy Advisor
    <https://arxiv.org/abs/1703.10660>`_ (2017).

    A sample is ``frames`` ``(3, H, W)`` in ``[0, 1]``, ``attributes`` ``(A,)``, ``name``.

    Args:
        root: The folder with lists, images and annotations.
        split: Official split.
        attributes: Ids in the order of the label columns.
        size: Side of an image in pixels; ``None`` keeps the native size.
        crop: See :func:`~blackbox_anon.datasets.resize`.

    Raises:
        DatasetNotFoundError: If the list, the annotations or all image folders are missing.
        ValueError: If ``split`` or an attribute is unknown.
    """

    def __init__(
        self,
        root: str | Path,
        split: VISPRSplit = "train2017",
        *,
        attributes: Sequence[str] = VISPR1_ATTRIBUTES,
        size: int | None = 224,
        crop: Crop = "center",
    ) -> None:
        if split not in ("train2017", "val2017", "test2017"):
            raise ValueError(f"split: expected train2017, val2017 or test2017, found {split!r}")
        self.attributes = known_attributes(attributes, VISPR_ATTRIBUTES)
        self.classes: list[str] = []
        self.size = size
        self.crop: Crop = crop
        self.split = split
        self.ids = _listed_ids(Path(root), split)
        self.names = [f"{split}/{image_id}" for image_id in self.ids]
        self._image_folders = _image_folders(Path(root), split)
        self._labels = _find_labels(Path(root), split, self.ids, self.attributes)

    @property
    @override
    def origins(self) -> list[str]:
        return self.ids

    @override
    def file(self, index: int) -> Path:
        candidates = [folder / f"{self.ids[index]}.jpg" for folder in self._image_folders]
        return next((path for path in candidates if path.is_file()), candidates[0])

    @override
    def targets(self, index: int) -> dict[str, Any]:
        present = self._labels(self.ids[index])
        return {
            "attributes": torch.tensor(
                [float(a in present) for a in self.attributes], dtype=torch.float32
            )
        }

    @override
    def frames(self, index: int) -> Tensor:
        return read_image(self.file(index), self.size, crop=self.crop)


def _listed_ids(root: Path, split: str) -> list[str]:
    file = root / f"{split}.txt"
    if not file.is_file():
        annotated = [
            file for folder in _label_folders(root, split) for file in folder.glob("*.json")
        ]
        if annotated:
            return sorted({file.stem for file in annotated})
        raise DatasetNotFoundError(f"VISPR not found: no {file};\n{EXPECTED}")
    lines = (line.replace("\\", "/") for line in read_lines(file))
    ids = unique([Path(line).stem for line in lines], file)
    if not ids:
        raise DatasetNotFoundError(f"{file}: expected one annotation path per line, found none")
    return ids


def _image_folders(root: Path, split: str) -> list[Path]:
    candidates = [root / "images" / split, root / split, root / "images"]
    folders = [folder for folder in candidates if folder.is_dir()]
    if not folders:
        raise DatasetNotFoundError(f"VISPR not found: no folder {candidates[0]};\n{EXPECTED}")
    return folders


def _label_folders(root: Path, split: str) -> tuple[Path, ...]:
    return root / "annotations" / split, root / split


def _find_labels(root: Path, split: str, ids: list[str], attributes: list[str]) -> AbstractLabels:
    for folder in _label_folders(root, split):
        if any((folder / f"{image_id}.json").is_file() for image_id in ids):
            return JSONLabels(folder)
    table = root / f"vispr7_{split}.csv"
    if table.is_file():
        return CSVLabels(table, attributes)
    raise DatasetNotFoundError(
        f"VISPR not found: no annotations of {split}, no {table};\n{EXPECTED}"
    )
