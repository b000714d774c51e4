import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from blackbox_anon.callbacks import AnonymizedWriter
from blackbox_anon.datamodules import (
    PairedDataModule,
    UCF101DataModule,
    UnreadableLog,
    VISPRDataModule,
)
from blackbox_anon.datasets import VISPR1_ATTRIBUTES
from blackbox_anon.errors import DatasetNotFoundError, UnreadableDataError
from tests.data import ucf
from tests.data.readers import reader
from tests.data.ucf import write_avi
from tests.datamodules.parts import Keeper, trainer


def datamodule(
    ucf_root: Path,
    vispr_root: Path,
    *,
    batch_size: int = 2,
    num_workers: int = 0,
    max_unreadable: int = 5,
    **settings: Any,  # noqa: ANN401  # of the pair
) -> PairedDataModule:
    both: dict[str, Any] = {"num_workers": num_workers, "max_unreadable": max_unreadable}
    return PairedDataModule(
        UCF101DataModule(str(ucf_root), batch_size=batch_size, reader=reader(3, 32), **both),
        VISPRDataModule(str(vispr_root), batch_size=3, size=32, **both),
        **settings,
    )


def test_what_tasks_ask_for_before_setup(ucf_root: Path) -> None:
    data = datamodule(ucf_root, Path("nowhere"))
    assert (data.attributes, data.num_attributes) == (list(VISPR1_ATTRIBUTES), 7)
    assert (data.classes, data.num_classes) == (list(ucf.CLASSES), 3)
    assert data.class_texts == ["Apply eye makeup", "Handstand pushups", "archery"]


@pytest.mark.parametrize(("pairing", "steps"), [("max_size_cycle", 2), ("min_size", 2)])
@pytest.mark.parametrize("num_workers", [0, 2])
def test_training_pairs(
    ucf_root: Path, vispr_root: Path, tmp_path: Path, pairing: str, steps: int, num_workers: int
) -> None:
    model = Keeper()
    data = datamodule(ucf_root, vispr_root, num_workers=num_workers, pairing=pairing)
    trainer(tmp_path).fit(model, data)
    assert len(model.batches["train"]) == steps
    first = model.batches["train"][0]
    assert first.keys() == {"utility", "privacy"}
    utility, privacy = first["utility"], first["privacy"]
    assert utility.keys() == {"frames", "label", "name"}
    assert privacy.keys() == {"frames", "attributes", "name"}
    assert utility["frames"].shape == (2, 3, 3, 32, 32)
    assert utility["label"].dtype == torch.int64
    assert privacy["frames"].shape == (3, 3, 32, 32)
    assert privacy["attributes"].shape == (3, 7)
    assert all(isinstance(name, str) for name in utility["name"] + privacy["name"])


def test_pairing_decides_the_length_of_an_epoch(ucf_root: Path, vispr_root: Path) -> None:
    lengths = {}
    for pairing in ("max_size_cycle", "min_size", "utility", "privacy"):
        data = datamodule(ucf_root, vispr_root, pairing=pairing, batch_size=1)
        data.setup("fit")
        lengths[pairing] = len(list(data.train_dataloader()))
    assert lengths == {"max_size_cycle": 3, "min_size": 2, "utility": 3, "privacy": 2}


def test_workers_do_not_change_an_epoch(ucf_root: Path, vispr_root: Path, tmp_path: Path) -> None:
    alone, helped = Keeper(), Keeper()
    trainer(tmp_path).fit(alone, datamodule(ucf_root, vispr_root))
    trainer(tmp_path).fit(helped, datamodule(ucf_root, vispr_root, num_workers=2))
    for a, b in zip(alone.batches["train"], helped.batches["train"], strict=True):
        for half in ("utility", "privacy"):
            assert a[half]["name"] == b[half]["name"]
            assert torch.equal(a[half]["frames"], b[half]["frames"])


def test_validation_and_test_run_utility_then_privacy(
    ucf_root: Path, vispr_root: Path, tmp_path: Path
) -> None:
    model, data = Keeper(), datamodule(ucf_root, vispr_root)
    trainer(tmp_path).validate(model, data, verbose=False)
    trainer(tmp_path).test(model, data, verbose=False)
    for stage, split in (("val", "val2017"), ("test", "test2017")):
        assert [index for index, _, _ in model.batches[stage]] == [0, 1]
        (_, _, utility), (_, _, privacy) = model.batches[stage]
        assert "label" in utility
        assert all(name.startswith(split) for name in privacy["name"])
    assert (tmp_path / "unreadable.txt").read_text().endswith(f"{ucf.TRUNCATED}\n")


def test_too_many_unreadable_files_stop_the_run(
    ucf_root: Path, vispr_root: Path, tmp_path: Path
) -> None:
    data = datamodule(ucf_root, vispr_root, max_unreadable=0)
    with pytest.raises(UnreadableDataError, match="v_HandStandPushups_g01_c01"):
        trainer(tmp_path).test(Keeper(), data, verbose=False)


def test_the_limit_counts_over_workers(tmp_path: Path) -> None:
    log = UnreadableLog(max_unreadable=2)
    clean = log.collect({"frames": 1, "unreadable": ["a", "b"]}, file=tmp_path / "x" / "list.txt")
    assert clean == {"frames": 1}
    UnreadableLog(max_unreadable=1).collect({"unreadable": ["a"]})  # no file to write
    log.collect({"privacy": {"unreadable": ["b"]}, "utility": {"unreadable": []}})
    log.collect({"unreadable": ["b", "a"]})
    with pytest.raises(UnreadableDataError, match=r"(?s)at most 2.*found 3.*a.*b.*c"):
        log.collect({"privacy": {"unreadable": ["c"]}}, file=tmp_path / "x" / "list.txt")
    assert (tmp_path / "x" / "list.txt").read_text() == "a\nb\nc\n"


def test_a_resumed_run_counts_on(ucf_root: Path, vispr_root: Path) -> None:
    first, second = (datamodule(ucf_root, vispr_root, max_unreadable=1) for _ in range(2))
    for data, names in ((first, ["a"]), (second, ["b"])):
        second.load_state_dict(first.state_dict())
        data.unreadable.collect({"unreadable": names})
    assert second.unreadable.paths == ["a", "b"]


def test_prediction_of_the_test_clips(ucf_root: Path, vispr_root: Path, tmp_path: Path) -> None:
    writer = AnonymizedWriter(str(tmp_path / "out"))
    trainer(tmp_path, writer).predict(Keeper(), datamodule(ucf_root, vispr_root))
    written = [path.name for path in (tmp_path / "out").rglob("*.mp4")]
    assert written == ["v_ApplyEyeMakeup_g01_c01.avi.mp4"]  # the other is cut, and listed


def test_prediction_of_a_folder(vispr_root: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    write_avi(own / "a" / "1.avi", 6)
    write_avi(own / "b.avi", 6)
    shutil.copytree(vispr_root / "images" / "val2017", own / "photos")
    writer = AnonymizedWriter(str(tmp_path / "out"))
    data = datamodule(Path("nowhere"), Path("nowhere"), predict_folder=str(own))
    trainer(tmp_path, writer).predict(Keeper(), data)
    written = sorted(p.suffix for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert written == [".mp4", ".mp4", ".png", ".png"]
    empty = datamodule(Path("nowhere"), Path("nowhere"), predict_folder=str(tmp_path / "none"))
    with pytest.raises(DatasetNotFoundError, match="predict_folder"):
        empty.setup("predict")


def test_a_missing_root_stops_at_setup(tmp_path: Path, vispr_root: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="CRCV"):
        datamodule(tmp_path, vispr_root).setup("fit")


def test_batches_are_counted_without_a_trainer_too(ucf_root: Path, vispr_root: Path) -> None:
    data = datamodule(ucf_root, vispr_root)
    assert data.on_before_batch_transfer({"unreadable": ["a.avi"]}, 0) == {}
    assert data.unreadable.paths == ["a.avi"]
