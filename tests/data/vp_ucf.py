"""A fake VP-UCF101: the authors' pickle for the fake UCF101's clips."""

from pathlib import Path

from tests.data import ucf
from tests.data.vp_hmdb import write_pickle

ROWS = {name: [1, i % 2, 1, 0, 0] for i, (name, _) in enumerate((*ucf.TRAIN, *ucf.TEST))}


def make(root: Path) -> Path:
    return write_pickle(root / "annotations" / "ucf101_privacy_attribute_label.pickle", ROWS)
