from pathlib import Path

import torch

from blackbox_anon.datasets import HMDB51, Excluding
from tests.data import hmdb
from tests.data.readers import reader


def test_a_view_keeps_order_and_samples(hmdb_root: Path) -> None:
    whole = HMDB51(hmdb_root, reader=reader(2, 16))
    view = Excluding(whole, [hmdb.TRAIN[2].replace(".avi", ".mp4").upper(), "wave/other.avi"])
    kept = [i for i, name in enumerate(whole.names) if name != hmdb.TRAIN[2]]
    assert view.excluded == 1
    assert view.names == view.origins == [whole.names[i] for i in kept]
    for position, index in enumerate(kept):
        assert view.file(position) == whole.file(index)
        assert view[position]["label"] == whole[index]["label"]
        assert torch.equal(view[position]["frames"], whole[index]["frames"])
