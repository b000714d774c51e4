import shutil
import unicodedata
from pathlib import Path

import pytest
import torch

from blackbox_anon.datasets import HMDB51, UnreadableFileError, hmdb51_classes, hmdb51_split
from blackbox_anon.errors import DatasetNotFoundError
from tests.data import hmdb
from tests.data.readers import reader
from tests.data.real import ROOT, needs_real_data

SPLITS = "testTrainMulti_7030_splits"


def test_every_listed_clip_is_read(hmdb_root: Path) -> None:
    for train, names in ((True, hmdb.TRAIN), (False, hmdb.TEST)):
        dataset = HMDB51(hmdb_root, 1, train=train, reader=reader(2, 16))
        assert dataset.names == sorted(names, key=lambda name: (name.split("/")[0], names))
        assert len(dataset) == len(names)
        for i, name in enumerate(dataset.names):
            sample = dataset[i]
            assert sample["frames"].shape == (2, 3, 16, 16)
            assert hmdb.CLASSES[sample["label"]] == name.split("/")[0]
            assert dataset.file(i).name == name.split("/")[1]


def test_each_clip_is_its_own(hmdb_root: Path) -> None:
    clips = [HMDB51(hmdb_root, reader=reader(1, None))[i]["frames"] for i in range(3)]
    assert not torch.equal(clips[0], clips[1])
    assert not torch.equal(clips[1], clips[2])


def test_classes_are_in_alphabetical_order_and_need_no_video(tmp_path: Path) -> None:
    folder = tmp_path / SPLITS
    folder.mkdir()
    for name in ("sword_exercise", "sword", "kick_ball", "kick"):
        (folder / f"{name}_test_split1.txt").write_text(f"a_{name}_b.avi 1 \n")
    assert hmdb51_classes(tmp_path) == ["kick", "kick_ball", "sword", "sword_exercise"]


def test_parts_of_a_split(hmdb_root: Path) -> None:
    parts = hmdb51_split(hmdb_root, 2)
    for part, names in (("train", hmdb.TRAIN), ("test", hmdb.TEST), ("unused", hmdb.UNUSED)):
        assert {name for name, found in parts.items() if found == part} == set(names)


@pytest.mark.parametrize("folder", ["hmdb51", "videos", "."])
def test_other_places_for_the_class_folders(hmdb_root: Path, tmp_path: Path, folder: str) -> None:
    shutil.copytree(hmdb_root / SPLITS, tmp_path / "test_train_splits" / SPLITS)
    shutil.copytree(hmdb_root / "hmdb51_org", tmp_path / folder, dirs_exist_ok=True)
    dataset = HMDB51(tmp_path, reader=reader(1, 16))
    assert all(dataset.file(i).is_file() for i in range(len(dataset)))


def test_names_as_another_system_writes_them(hmdb_root: Path, tmp_path: Path) -> None:
    """Accents in two characters, as macOS has them, and clips made MP4."""
    shutil.copytree(hmdb_root / SPLITS, tmp_path / SPLITS)
    for source in (hmdb_root / "hmdb51_org").rglob("*.avi"):
        name = unicodedata.normalize("NFD", source.name)
        copy = tmp_path / "hmdb51_org" / source.parent.name / f"{name[:-4]}.mp4"
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, copy)
    dataset = HMDB51(tmp_path, reader=reader(1, 16))
    assert all(dataset.file(i).is_file() for i in range(len(dataset)))


def test_repeated_lines_count_once(hmdb_root: Path, tmp_path: Path) -> None:
    shutil.copytree(hmdb_root, tmp_path / "hmdb")
    file = tmp_path / "hmdb" / SPLITS / "wave_test_split1.txt"
    file.write_text(file.read_text("utf-8") * 2, "utf-8")
    assert HMDB51(tmp_path / "hmdb").names == HMDB51(hmdb_root).names


def test_a_missing_clip_is_unreadable(hmdb_root: Path, tmp_path: Path) -> None:
    shutil.copytree(hmdb_root, tmp_path / "hmdb")
    (tmp_path / "hmdb" / "hmdb51_org" / hmdb.TEST[0]).unlink()
    dataset = HMDB51(tmp_path / "hmdb", train=False)
    with pytest.raises(UnreadableFileError, match="April_09_brush_hair"):
        dataset[0]


def test_missing_and_damaged_parts(hmdb_root: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match=r"(?s)testTrainMulti.*hmdb51_org\.rar.*Serre"):
        HMDB51(tmp_path)
    shutil.copytree(hmdb_root / SPLITS, tmp_path / SPLITS)
    with pytest.raises(DatasetNotFoundError, match=r"no folder .*hmdb51_org"):
        HMDB51(tmp_path)
    (tmp_path / "hmdb51_org").mkdir()
    (tmp_path / SPLITS / "wave_test_split2.txt").unlink()
    with pytest.raises(DatasetNotFoundError, match=r"no wave_test_split2\.txt"):
        HMDB51(tmp_path, 2)
    (tmp_path / SPLITS / "wave_test_split3.txt").write_text("clip.avi 3 \n")
    with pytest.raises(DatasetNotFoundError, match=r"0, 1 or 2>', found 'clip\.avi 3'"):
        HMDB51(tmp_path, 3)
    with pytest.raises(ValueError, match="split: expected 1, 2 or 3, found 0"):
        HMDB51(tmp_path, 0)  # type: ignore[arg-type]  # what a config could say


def test_a_split_without_training_clips_is_refused(hmdb_root: Path, tmp_path: Path) -> None:
    shutil.copytree(hmdb_root, tmp_path / "hmdb")
    for file in (tmp_path / "hmdb" / SPLITS).iterdir():
        file.write_text(file.read_text("utf-8").replace(" 1 ", " 0 "), "utf-8")
    with pytest.raises(DatasetNotFoundError, match="expected train clips of split 1, found 0"):
        HMDB51(tmp_path / "hmdb")


@needs_real_data
@pytest.mark.parametrize("split", [1, 2, 3])
def test_the_official_files(split: int) -> None:
    parts = hmdb51_split(ROOT / "hmdb51", split)  # type: ignore[arg-type]  # a literal
    for name in hmdb51_classes(ROOT / "hmdb51"):
        own = [part for clip, part in parts.items() if clip.startswith(f"{name}/")]
        assert (own.count("train"), own.count("test")) == (70, 30)
    assert len(parts) == 6766


@needs_real_data
def test_real_clips_are_found_by_their_names() -> None:
    parts = hmdb51_split(ROOT / "hmdb51", 1)
    for train in (True, False):
        dataset = HMDB51(ROOT / "hmdb51", train=train)
        found = [i for i in range(len(dataset)) if dataset.file(i).is_file()]
        assert all(parts[dataset.names[i]] == ("train" if train else "test") for i in found)
        assert all(dataset.frames(i).shape == (8, 3, 224, 224) for i in found)
