from pathlib import Path

import pytest

from blackbox_anon.datamodules import UCF101DataModule
from blackbox_anon.errors import DatasetNotFoundError
from tests.data import ucf
from tests.data.readers import reader
from tests.data.real import ROOT, needs_real_data
from tests.datamodules.parts import Keeper, trainer


def test_class_texts_are_written_as_answers_are(ucf_root: Path) -> None:
    data = UCF101DataModule(str(ucf_root))
    assert data.classes == list(ucf.CLASSES)
    assert data.class_texts == ["Apply eye makeup", "Handstand pushups", "archery"]


def test_alone_it_trains_and_tests(ucf_root: Path, tmp_path: Path) -> None:
    data = UCF101DataModule(str(ucf_root), batch_size=2, num_workers=0, reader=reader(2, 16))
    model = Keeper()
    trainer(tmp_path).fit(model, data)
    assert [b["label"].tolist() for b in model.batches["train"]] != []
    assert {b["frames"].shape[1:] for b in model.batches["train"]} == {(2, 3, 16, 16)}
    trainer(tmp_path).predict(model, data)
    assert model.batches["predict"][0]["name"][0] == ucf.TEST[0][0]
    assert (tmp_path / "unreadable.txt").read_text().endswith(f"{ucf.TRUNCATED}\n")


def test_it_has_no_attributes(ucf_root: Path) -> None:
    data = UCF101DataModule(str(ucf_root))
    assert not hasattr(data, "num_attributes")
    with pytest.raises(ValueError, match=r"roles of UCF101DataModule \('utility',\)"):
        data.dataset("train", "privacy")
    with pytest.raises(ValueError, match="batch_size: expected 1 or more, found 0"):
        UCF101DataModule(str(ucf_root), batch_size=0)


def test_a_missing_root_stops_at_setup(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="CRCV"):
        UCF101DataModule(str(tmp_path)).setup("fit")


@needs_real_data
def test_split_1_as_published() -> None:
    data = UCF101DataModule(str(ROOT / "ucf101"))
    counts = [len(data.dataset(stage, "utility")) for stage in ("train", "val", "test")]
    assert counts == [9537, 3783, 3783]
    assert counts == [data.official_count(stage, "utility") for stage in ("train", "val", "test")]
