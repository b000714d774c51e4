"""A fake VP-HMDB51: the authors' pickle, whose clips are named .mp4."""

import pickle
from pathlib import Path

import numpy as np

from tests.data import hmdb

ROWS = {
    name: [int(i != 0), i % 2, 1, 0, int(i == 2)]
    for i, name in enumerate((*hmdb.TRAIN, *hmdb.TEST, *hmdb.UNUSED))
}


def make(root: Path) -> Path:
    return write_pickle(root / "annotations" / "hmdb51_privacy_attribute_label.pickle", ROWS)


def write_pickle(file: Path, rows: dict[str, list[int]], protocol: int = 4) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    labels = {f"{name[:-4]}.mp4": np.array([row]) for name, row in rows.items()}
    file.write_bytes(pickle.dumps(labels, protocol=protocol))
    return file.parent.parent
