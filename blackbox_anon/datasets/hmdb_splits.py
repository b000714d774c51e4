"""The 153 split files of HMDB51, ``<class>_test_split<1|2|3>.txt``."""

import re
from pathlib import Path
from typing import Literal

from blackbox_anon.datasets.lists import read_lines
from blackbox_anon.errors import DatasetNotFoundError

Part = Literal["train", "test", "unused"]

CODES: dict[str, Part] = {"1": "train", "2": "test", "0": "unused"}
FOLDERS = (
    "testTrainMulti_7030_splits",
    "test_train_splits/testTrainMulti_7030_splits",
    "test_train_splits",
    "splits",
    ".",
)
FILE = re.compile(r"(.+)_test_split([123])\.txt")

EXPECTED = """expected
  <root>/hmdb51_org/<class>/<clip>.avi                      51 class folders
  <root>/testTrainMulti_7030_splits/<class>_test_split1.txt  51 x 3 files
Get hmdb51_org.rar and test_train_splits.rar from the HMDB51 page of the Serre Lab, Brown
University; unpack both there, and each <class>.rar of the first into hmdb51_org."""


def hmdb51_classes(root: str | Path) -> list[str]:
    """Class names in alphabetical order, which is the order of labels; needs no video.

    Args:
        root: As for :class:`~blackbox_anon.datasets.HMDB51`.

    Returns:
        The names.

    Raises:
        DatasetNotFoundError: If there are no split files.
    """
    return sorted({name for name, _ in _split_files(Path(root))})


def hmdb51_split(root: str | Path, split: Literal[1, 2, 3]) -> dict[str, Part]:
    """What a split does with every clip.

    Args:
        root: As for :class:`~blackbox_anon.datasets.HMDB51`.
        split: Official split.

    Returns:
        ``<class>/<clip>.avi`` to its part, classes in alphabetical order.

    Raises:
        DatasetNotFoundError: If a split file is missing or damaged.
    """
    files = _split_files(Path(root))
    parts: dict[str, Part] = {}
    for name in hmdb51_classes(root):
        file = files.get((name, split))
        if file is None:
            raise DatasetNotFoundError(
                f"HMDB51: no {name}_test_split{split}.txt beside the other split files;\n{EXPECTED}"
            )
        for line in read_lines(file):
            clip, _, code = line.rpartition(" ")
            if code not in CODES or not clip:
                raise DatasetNotFoundError(
                    f"{file}: expected lines '<clip>.avi <0, 1 or 2>', found {line!r}"
                )
            parts[f"{name}/{clip.strip()}"] = CODES[code]
    return parts


def _split_files(root: Path) -> dict[tuple[str, int], Path]:
    for folder in FOLDERS:
        matches = ((FILE.fullmatch(file.name), file) for file in (root / folder).glob("*.txt"))
        files = {(match[1], int(match[2])): file for match, file in matches if match}
        if files:
            return files
    raise DatasetNotFoundError(f"HMDB51 not found: no {root / FOLDERS[0]};\n{EXPECTED}")
