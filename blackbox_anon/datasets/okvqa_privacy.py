"""Private attributes of OK-VQA's test images."""

import json
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.datasets.abstract import AbstractDataset
from blackbox_anon.datasets.attributes import VISPR1_ATTRIBUTES, known_attributes
from blackbox_anon.datasets.image import read_image
from blackbox_anon.datasets.okvqa import image_folder
from blackbox_anon.datasets.resizing import Crop
from blackbox_anon.errors import DatasetNotFoundError

LABEL_FILES = ("annotations.json", "privacy_annotations.json")
SPLIT = "val2014"

EXPECTED = """expected
  <root>/annotations.json                       or <root>/privacy_annotations.json
  <root>/val2014/COCO_val2014_<12 digits>.jpg
Get the file from the repository phoebehxf/okvqa-privacy-attribute on GitHub, and the images, the
2014 val archive, from the COCO page; unpack them there."""

logger = logging.getLogger(__name__)


class OKVQAPrivacy(AbstractDataset):
    """OKVQA-PRIV: 994 records of seven private attributes, for images of OK-VQA's test split.

    Expects ``annotations.json`` and ``val2014/`` in ``root``. Every record is a sample, as
    published: one image occurs twice, with different labels, and both count. A record without
    ``choice`` shows none of the attributes. A test set: there are no labels of training images. No
    licence is stated; the labels are by the paper's first author.

    A sample is ``frames`` ``(3, H, W)`` in ``[0, 1]``, ``attributes`` ``(A,)``, and ``name``,
    ``<image>/<place in the file>``: the two records of one image have the same id.

    Args:
        root: The folder with the file and the images.
        attributes: Ids in the order of the label columns, of VISPR1's seven.
        size: Side of an image in pixels; ``None`` keeps the native size.
        crop: See :func:`~blackbox_anon.datasets.resize`.

    Raises:
        DatasetNotFoundError: If the file or the image folder is missing, or the file is damaged.
        ValueError: If an attribute is not among the seven.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        attributes: Sequence[str] = VISPR1_ATTRIBUTES,
        size: int | None = 224,
        crop: Crop = "center",
    ) -> None:
        self.attributes = known_attributes(attributes, VISPR1_ATTRIBUTES)
        self.classes: list[str] = []
        self.size = size
        self.crop: Crop = crop
        file = _label_file(Path(root))
        self.images, self.present = _read(file)
        self.folder = image_folder(root, SPLIT)
        self.names = [f"{name}/{place}" for place, name in enumerate(self.images)]
        repeated = [name for name, count in Counter(self.images).items() if count > 1]
        if repeated:
            logger.warning("%s: %d images have several records: %s", file, len(repeated), repeated)

    @property
    @override
    def origins(self) -> list[str]:
        return self.images

    @override
    def file(self, index: int) -> Path:
        return self.folder / self.images[index]

    @override
    def targets(self, index: int) -> dict[str, Any]:
        shown = [float(a in self.present[index]) for a in self.attributes]
        return {"attributes": torch.tensor(shown, dtype=torch.float32)}

    @override
    def frames(self, index: int) -> Tensor:
        return read_image(self.file(index), self.size, crop=self.crop)


def _label_file(root: Path) -> Path:
    for name in LABEL_FILES:
        if (root / name).is_file():
            return root / name
    raise DatasetNotFoundError(f"OKVQA-PRIV not found: no {root / LABEL_FILES[0]};\n{EXPECTED}")


def _read(file: Path) -> tuple[list[str], list[frozenset[str]]]:
    """Image names and attributes present, in the file's order."""
    try:
        records = json.loads(file.read_text("utf-8-sig"))
        images = [Path(str(record["image"]).replace("\\", "/")).name for record in records]
        present = [_choices(record.get("choice")) for record in records]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetNotFoundError(
            f"{file}: expected a list of records with `image` and perhaps `choice`, found "
            f"{type(error).__name__}: {error}"
        ) from error
    if not records:
        raise DatasetNotFoundError(f"{file}: expected records, found none")
    unknown = frozenset().union(*present) - set(VISPR1_ATTRIBUTES)
    if unknown:
        raise DatasetNotFoundError(f"{file}: expected VISPR's ids, found {sorted(unknown)}")
    return images, present


def _choices(choice: object) -> frozenset[str]:
    """What an annotator ticked: nothing, one attribute, or several."""
    if choice is None:
        return frozenset()
    if isinstance(choice, dict):
        return frozenset(map(str, choice["choices"]))
    return frozenset({str(choice)})
