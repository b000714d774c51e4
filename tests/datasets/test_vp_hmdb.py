import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from blackbox_anon.datasets import VITA_ATTRIBUTES, VPHMDB51, VPUCF101, read_vp_labels
from blackbox_anon.errors import DatasetNotFoundError
from tests.data import hmdb, vp_hmdb, vp_ucf
from tests.data.readers import reader
from tests.data.real import ROOT, needs_real_data


def test_a_clip_has_an_action_and_attributes(hmdb_root: Path, vp_hmdb_root: Path) -> None:
    dataset = VPHMDB51(vp_hmdb_root, hmdb_root=hmdb_root, reader=reader(2, 16))
    assert set(dataset.names) == set(hmdb.TRAIN)
    for i, name in enumerate(dataset.names):
        sample = dataset[i]
        assert sample["attributes"].int().tolist() == vp_hmdb.ROWS[name]
        assert hmdb.CLASSES[sample["label"]] == name.split("/")[0]
        assert sample["frames"].shape == (2, 3, 16, 16)
        assert dataset.file(i).is_file()


def test_columns_can_be_chosen(ucf_root: Path, vp_ucf_root: Path) -> None:
    dataset = VPUCF101(vp_ucf_root, train=False, ucf_root=ucf_root, attributes=("gender", "face"))
    rows = [dataset.targets(i)["attributes"].int().tolist() for i in range(len(dataset))]
    assert rows == [[vp_ucf.ROWS[name][2], vp_ucf.ROWS[name][1]] for name in dataset.names]
    with pytest.raises(ValueError, match=r"found \['age'\]"):
        VPUCF101(vp_ucf_root, ucf_root=ucf_root, attributes=("age",))


@pytest.mark.parametrize("protocol", [0, 2, 3, 5])
def test_pickles_of_any_age(tmp_path: Path, protocol: int) -> None:
    root = vp_hmdb.write_pickle(
        tmp_path / "annotations" / "hmdb51_privacy_attribute_label.pickle", vp_hmdb.ROWS, protocol
    )
    labels = read_vp_labels(root, "hmdb51")
    assert sorted(map(list, labels.values())) == sorted(vp_hmdb.ROWS.values())


class Attack:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("a pickle ran code",))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (pickle.dumps({"wave/a.mp4": Attack()}), "builtins.print, which is no array"),
        (pickle.dumps({"wave/a.mp4": np.ones((1, 4))}), "a row is not of 5 numbers"),
        (pickle.dumps([1, 2]), "no attribute 'items'"),
        (b"", "Ran out of input"),
    ],
)
def test_a_pickle_of_something_else(
    tmp_path: Path, content: bytes, found: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "hmdb51_privacy_attribute_label.pickle").write_bytes(content)
    with pytest.raises(DatasetNotFoundError, match=found):
        read_vp_labels(tmp_path, "hmdb51")
    assert "ran code" not in capsys.readouterr().out


def test_a_table_serves_too(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match=r"(?s)VP-UCF101 not found.*stprivacy"):
        read_vp_labels(tmp_path, "ucf101")
    table = tmp_path / "vp_ucf101.csv"
    table.write_text("clip,face\nArchery/v_Archery_g01_c01.mp4,1\n")
    with pytest.raises(DatasetNotFoundError, match=r"found none named \['gender', 'nudity'"):
        read_vp_labels(tmp_path, "ucf101")
    table.write_text(f"clip,{','.join(VITA_ATTRIBUTES)}\nArchery/v_Archery_g01_c01.mp4,1,0,1,0,1\n")
    assert list(read_vp_labels(tmp_path, "ucf101").values()) == [(1, 0, 1, 0, 1)]


def test_a_listed_clip_without_labels(hmdb_root: Path, tmp_path: Path) -> None:
    rows = {name: row for name, row in vp_hmdb.ROWS.items() if name != hmdb.TRAIN[1]}
    root = vp_hmdb.write_pickle(
        tmp_path / "annotations" / "hmdb51_privacy_attribute_label.pickle", rows
    )
    with pytest.raises(DatasetNotFoundError, match="1 have none, such as 'wave/Mañana"):
        VPHMDB51(root, hmdb_root=hmdb_root)


@needs_real_data
def test_counts_and_shares_as_published() -> None:
    for stem, count, shares in (
        ("hmdb51", 6766, [0.90, 0.62, 0.92, 0.27, 0.21]),
        ("ucf101", 13320, [0.91, 0.60, 0.90, 0.25, 0.25]),
    ):
        labels = read_vp_labels(ROOT / "vp", stem)
        assert len(labels) == count
        mean = torch.tensor(list(labels.values())).mean(0)
        assert mean.tolist() == pytest.approx(shares, abs=0.011)
