import shutil
from pathlib import Path

import pytest
import torch

from blackbox_anon.datasets import (
    ATTRIBUTE_NAMES,
    VISPR,
    VISPR1_ATTRIBUTES,
    VISPR2_ATTRIBUTES,
    VISPR_ATTRIBUTES,
    UnreadableFileError,
)
from blackbox_anon.errors import DatasetNotFoundError
from tests.data.real import ROOT, needs_real_data

EXPECTED = [[1, 1, 1, 0, 0, 0, 0], [0] * 7, [0, 1, 0, 1, 0, 1, 1]]


def labels(dataset: VISPR) -> list[list[float]]:
    return [dataset[i]["attributes"].tolist() for i in range(len(dataset))]


def test_samples(vispr_root: Path) -> None:
    dataset = VISPR(vispr_root, "test2017", size=32)
    assert labels(dataset) == EXPECTED
    sample = dataset[0]
    assert sample["name"] == "test2017/2017_100008"
    assert sample["frames"].shape == (3, 32, 32)
    assert (sample["frames"].dtype, sample["attributes"].dtype) == (torch.float32, torch.float32)
    assert VISPR(vispr_root, "test2017", size=None)[2]["frames"].shape == (3, 60, 40)  # EXIF
    grey = dataset[1]["frames"]
    assert torch.equal(grey[0], grey[1])


def test_attributes_choose_and_order_the_columns(vispr_root: Path) -> None:
    dataset = VISPR(vispr_root, "val2017", attributes=["a59_sports", "a17_color", "a11_tattoo"])
    assert labels(dataset) == [[1, 1, 0], [0, 0, 0]]


def test_every_attribute_has_a_name() -> None:
    assert len(VISPR_ATTRIBUTES) == 68
    assert {*VISPR1_ATTRIBUTES, *VISPR2_ATTRIBUTES} <= set(VISPR_ATTRIBUTES) <= set(ATTRIBUTE_NAMES)


@needs_real_data
def test_the_attributes_are_the_authors() -> None:
    lines = (ROOT / "vispr" / "attributes.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("idx")]
    assert {row[1]: row[3].strip() for row in rows} == VISPR_ATTRIBUTES
    assert list(VISPR_ATTRIBUTES) == [row[1] for row in rows]


def test_everything_in_one_folder(vispr_root: Path, tmp_path: Path) -> None:
    shutil.copytree(vispr_root / "images" / "test2017", tmp_path / "test2017")
    for file in (vispr_root / "annotations" / "test2017").iterdir():
        shutil.copy(file, tmp_path / "test2017")
    shutil.copy(vispr_root / "test2017.txt", tmp_path)
    assert labels(VISPR(tmp_path, "test2017")) == EXPECTED


def test_a_table_where_no_json_exists(vispr_root: Path, tmp_path: Path) -> None:
    shutil.copytree(vispr_root / "images", tmp_path / "images")
    shutil.copy(vispr_root / "test2017.txt", tmp_path)
    with pytest.raises(DatasetNotFoundError, match=r"no annotations of test2017, no .*vispr7_"):
        VISPR(tmp_path, "test2017")
    table = tmp_path / "vispr7_test2017.csv"
    table.write_text("id,a17_color,a4_gender\n2017_100008,1,0\n2017_100018,0,1\n")
    with pytest.raises(DatasetNotFoundError, match="a65_rel_social"):
        VISPR(tmp_path, "test2017")
    dataset = VISPR(tmp_path, "test2017", attributes=("a4_gender", "a17_color"))
    assert [dataset[i]["attributes"].tolist() for i in range(2)] == [[0, 1], [1, 0]]
    with pytest.raises(UnreadableFileError, match="no row for 2017_100028"):
        dataset[2]


def test_missing_and_damaged_parts(vispr_root: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match=r"(?s)train2017\.txt.*Max Planck"):
        VISPR(tmp_path)
    (tmp_path / "train2017.txt").write_text("\n")
    with pytest.raises(DatasetNotFoundError, match="found none"):
        VISPR(tmp_path)
    shutil.copy(vispr_root / "train2017.txt", tmp_path)
    with pytest.raises(DatasetNotFoundError, match="no folder"):
        VISPR(tmp_path)
    shutil.copytree(vispr_root / "annotations", tmp_path / "annotations")
    (tmp_path / "images" / "train2017").mkdir(parents=True)
    dataset = VISPR(tmp_path)
    with pytest.raises(UnreadableFileError, match=dataset.ids[0]):
        dataset[0]
    (tmp_path / "annotations" / "train2017" / f"{dataset.ids[0]}.json").write_text("{}")
    with pytest.raises(UnreadableFileError, match="'labels'"):
        dataset[0]


def test_bad_arguments(vispr_root: Path) -> None:
    with pytest.raises(ValueError, match="split"):
        VISPR(vispr_root, "train")  # type: ignore[arg-type]  # what a config could say
    with pytest.raises(ValueError, match=r"found \['a4_gendre'\]"):
        VISPR(vispr_root, attributes=["a4_gendre"])


@needs_real_data
def test_real_photographs_and_lists() -> None:
    dataset = VISPR(ROOT / "vispr", "test2017")
    assert (len(dataset), len(VISPR(ROOT / "vispr", "train2017"))) == (8000, 10000)
    sample = dataset[dataset.ids.index("2017_40438231")]
    assert sample["attributes"].tolist() == [1, 1, 1, 1, 0, 0, 0]
    assert sample["frames"].shape == (3, 224, 224)
