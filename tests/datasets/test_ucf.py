import shutil
from pathlib import Path

import pytest
import torch

from blackbox_anon.datasets import UCF101, UnreadableFileError, ucf101_classes
from blackbox_anon.errors import DatasetNotFoundError
from tests.data import ucf
from tests.data.readers import reader
from tests.data.real import ROOT, needs_real_data


def test_train_samples(ucf_root: Path) -> None:
    dataset = UCF101(ucf_root, 1, train=True, reader=reader(4, 32))
    assert dataset.classes == list(ucf.CLASSES) == ucf101_classes(ucf_root)
    assert [dataset[i]["label"] for i in range(len(dataset))] == [0, 1, 0]
    sample = dataset[1]
    assert sample["name"] == "HandstandPushups/v_HandStandPushups_g08_c01.avi"
    assert sample["frames"].shape == (4, 3, 32, 32)
    assert sample["frames"].dtype == torch.float32
    assert 0 <= sample["frames"].min() < 0.5 < sample["frames"].max() <= 1


@pytest.mark.parametrize("split", [1, 2, 3])
def test_the_other_splits_have_lists(ucf_root: Path, split: int) -> None:
    assert len(UCF101(ucf_root, split, train=False)) == 2  # type: ignore[arg-type]  # an int


def test_a_cut_clip_is_unreadable(ucf_root: Path) -> None:
    dataset = UCF101(ucf_root, train=False)
    assert dataset[0]["label"] == 0
    with pytest.raises(UnreadableFileError, match="v_HandStandPushups_g01_c01"):
        dataset[1]


def test_a_missing_clip_is_unreadable(ucf_root: Path, tmp_path: Path) -> None:
    shutil.copytree(ucf_root, tmp_path / "ucf")
    (tmp_path / "ucf" / "UCF-101" / ucf.TEST[0][0]).unlink()
    dataset = UCF101(tmp_path / "ucf", train=False)
    with pytest.raises(UnreadableFileError, match="ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01"):
        dataset[0]


def test_letter_case_and_labels_in_a_test_list_do_not_matter(
    ucf_root: Path, tmp_path: Path
) -> None:
    shutil.copytree(ucf_root, tmp_path / "ucf")
    lines = ["HandStandPushups/v_HandstandPushups_g08_c01.avi 7", "", " archery/v_x.avi "]
    (tmp_path / "ucf" / "ucfTrainTestlist" / "testlist01.txt").write_text("\n".join(lines))
    dataset = UCF101(tmp_path / "ucf", train=False, reader=reader(2, 16))
    assert dataset.labels == [1, 2]
    assert dataset[0]["frames"].shape == (2, 3, 16, 16)


def test_a_missing_root_says_where_to_get_the_data(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match=r"(?s)classInd.*UCF-101.*CRCV"):
        UCF101(tmp_path)


def test_missing_videos_and_damaged_lists(ucf_root: Path, tmp_path: Path) -> None:
    lists = tmp_path / "ucfTrainTestlist"
    shutil.copytree(ucf_root / "ucfTrainTestlist", lists)
    with pytest.raises(DatasetNotFoundError, match="UCF-101"):
        UCF101(tmp_path)
    (lists / "trainlist01.txt").write_text("Flying/v_Flying_g08_c01.avi 1\n")
    with pytest.raises(DatasetNotFoundError, match=r"unknown class in 'Flying/"):
        UCF101(tmp_path)
    (lists / "trainlist01.txt").write_text("")
    with pytest.raises(DatasetNotFoundError, match="empty list"):
        UCF101(tmp_path)
    (lists / "classInd.txt").write_text("0 ApplyEyeMakeup\n")
    with pytest.raises(DatasetNotFoundError, match=r"classInd\.txt: expected lines '1 <Class>'"):
        UCF101(tmp_path)


def test_unknown_split(ucf_root: Path) -> None:
    with pytest.raises(ValueError, match="split: expected 1, 2 or 3, found 4"):
        UCF101(ucf_root, 4)  # type: ignore[arg-type]  # what a config could say


@needs_real_data
def test_real_clips_and_lists() -> None:
    dataset = UCF101(ROOT / "ucf101", train=True)
    assert (len(dataset), len(dataset.classes)) == (9537, 101)
    index = dataset.names.index("SoccerJuggling/v_SoccerJuggling_g23_c01.avi")
    assert dataset.classes[dataset[index]["label"]] == "SoccerJuggling"
    assert dataset[index]["frames"].shape == (8, 3, 224, 224)
    test = UCF101(ROOT / "ucf101", train=False)
    assert (len(test), test[0]["label"]) == (3783, 0)
    with pytest.raises(UnreadableFileError, match="ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c02"):
        test[1]
