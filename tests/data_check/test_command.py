"""``blackbox-anon data check``, on fake data sets whole and broken."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from blackbox_anon.cli import main
from blackbox_anon.data_check.configured import configured_data
from blackbox_anon.datamodules import (
    HMDB51DataModule,
    PAHMDB51DataModule,
    PairedDataModule,
    UCF101DataModule,
    VISPRDataModule,
    VPHMDB51DataModule,
)
from blackbox_anon.decoding import ClipReader, StridedSampling
from tests.data import hmdb, pa_hmdb, ucf
from tests.data.ucf import write_avi

OUT = Path("out")
MODULES = (HMDB51DataModule, PAHMDB51DataModule, UCF101DataModule, VISPRDataModule)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def _as_published(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake sets count as official ones."""
    for module in MODULES:
        monkeypatch.setattr(module, "official_count", lambda *_: None)


def part(name: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401  # of a constructor
    small = {"num_workers": 0, **arguments}
    return {"class_path": f"{name}DataModule", "init_args": small}


def check(data: dict[str, Any], *options: str) -> tuple[int, str]:
    """Exit code and the written report."""
    config = {"model": {"class_path": "NotBuilt"}, "data": data, "trainer": {"max_epochs": 1}}
    Path("c.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    code = 0
    try:
        main(["data", "check", "--config", "c.yaml", "--out", str(OUT), *options])
    except SystemExit as stop:
        code = int(stop.code or 0)
    return code, (OUT / "report.txt").read_text("utf-8")


def pair(hmdb_root: Path, vispr_root: Path, pa_root: Path) -> dict[str, Any]:
    videos = {"hmdb_root": str(hmdb_root)}
    return {
        "class_path": "PairedDataModule",
        "init_args": {
            "utility": part("HMDB51", root=str(hmdb_root)),
            "privacy": part("VISPR", root=str(vispr_root), attributes="pa_hmdb51"),
            "test_utility": part("PAHMDB51", root=str(pa_root), **videos),
            "test_privacy": part("PAHMDB51", root=str(pa_root), **videos),
        },
    }


@pytest.mark.usefixtures("_as_published")
def test_all_is_well(
    hmdb_root: Path, vispr_root: Path, pa_hmdb_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, report = check(pair(hmdb_root, vispr_root, pa_hmdb_root))
    assert code == 0
    assert "All is there and readable." in report
    assert "leak guard  1 of them left out of training" in report
    assert "wave: 2" in report
    assert "WITHOUT SAMPLES cartwheel" in report
    assert f"samples     {pa_hmdb.NUM_FRAMES}" in report
    assert "a9_face_complete (complete face): 5 (41.7%)" in report
    assert "a12_semi_nudity (semi-nudity): 0 (0.0%)" in report
    assert "contact_sheet.png" in capsys.readouterr().out
    with Image.open(OUT / "contact_sheet.png") as sheet:
        pixels = np.asarray(sheet)
    assert pixels.shape[1] > 8 * 160
    assert len(np.unique(pixels)) > 50


def test_a_count_that_differs_from_the_official_one_is_said(hmdb_root: Path) -> None:
    code, report = check(part("HMDB51", root=str(hmdb_root)), "--quick")
    assert code == 1
    assert "samples     3, OFFICIALLY 3,570" in report


def broken_files(whole: bytes) -> dict[str, bytes]:
    """Content by kind."""
    return {
        "empty": b"",
        "text": b"no video at all",
        "zeros": bytes(5000),
        "header": whole[:150],
        "half a header": whole[:60],
        "noise": np.random.default_rng(0).bytes(5000),
        "no magic": b"XXXX" + whole[4:64],
    }


@pytest.mark.usefixtures("_as_published")
def test_every_broken_file_is_named_and_none_stops_the_check(
    ucf_root: Path, tmp_path: Path
) -> None:
    root = tmp_path / "ucf"
    shutil.copytree(ucf_root / "ucfTrainTestlist", root / "ucfTrainTestlist")
    write_avi(tmp_path / "whole.avi", 12)
    broken = broken_files((tmp_path / "whole.avi").read_bytes())
    names = [f"Archery/v_Archery_g{i:02d}_c01.avi" for i in range(len(broken) + 2)]
    for name, content in zip(names, broken.values(), strict=False):
        (root / "UCF-101" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "UCF-101" / name).write_bytes(content)
    shutil.copy(tmp_path / "whole.avi", root / "UCF-101" / names[-2])  # the last one is not there
    for list_name in ("trainlist01", "testlist01"):
        (root / "ucfTrainTestlist" / f"{list_name}.txt").write_text("\n".join(names))
    code, report = check(part("UCF101", root=str(root)))
    assert code == 1
    for name in names[:-2]:
        assert report.count(f"UNREADABLE {root / 'UCF-101' / name}: ") == 3, name
    assert report.count(f"MISSING {root / 'UCF-101' / names[-1]}") == 3
    assert f"{names[-2]}:" not in report
    assert f"files       {len(names) - 1} of {len(names)} found" in report
    assert "UCF101.rar" in report  # where to get it


@pytest.mark.usefixtures("_as_published")
def test_a_missing_set_comes_with_instructions(
    hmdb_root: Path, pa_hmdb_root: Path, tmp_path: Path
) -> None:
    code, report = check(pair(hmdb_root, tmp_path / "nowhere", pa_hmdb_root), "--quick")
    assert code == 1
    assert "train privacy: VISPR\n  NOT FOUND: VISPR not found" in report
    assert "Max Planck Institute" in report
    assert "train utility: HMDB51\n  samples     3 " in report  # the rest is looked at


@pytest.mark.usefixtures("_as_published")
def test_quick_opens_no_media(
    hmdb_root: Path, vispr_root: Path, pa_hmdb_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*_: object) -> None:
        raise AssertionError("opened")

    monkeypatch.setattr(ClipReader, "__call__", opened)
    monkeypatch.setattr("blackbox_anon.datasets.vispr.read_image", opened)
    code, report = check(pair(hmdb_root, vispr_root, pa_hmdb_root), "--quick")
    assert code == 0
    assert "unreadable  not looked for" in report
    assert not (OUT / "contact_sheet.png").exists()


def test_a_file_that_several_parts_share_is_opened_once(
    ucf_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, opened = ClipReader.__call__, []

    def counted(self: ClipReader, path: Path) -> Any:  # noqa: ANN401  # frames
        opened.append(path)
        return read(self, path)

    monkeypatch.setattr(ClipReader, "__call__", counted)
    monkeypatch.setattr("blackbox_anon.data_check.command.draw_contact_sheet", lambda *_: None)
    code, report = check(part("UCF101", root=str(ucf_root)))
    assert len(opened) == len(set(opened)) == len(ucf.TRAIN) + len(ucf.TEST)
    assert (code, report.count(f"UNREADABLE {ucf_root / 'UCF-101' / ucf.TRUNCATED}")) == (1, 2)


def test_an_annotation_that_cannot_be_read_is_named(vispr_root: Path, tmp_path: Path) -> None:
    shutil.copytree(vispr_root, tmp_path / "vispr")
    file = next((tmp_path / "vispr" / "annotations" / "test2017").iterdir())
    file.write_text("{}")
    code, report = check(part("VISPR", root=str(tmp_path / "vispr")), "--quick")
    assert (code, f"UNREADABLE {file}: KeyError: 'labels'" in report) == (1, True)


def test_options_reach_the_data_module(vp_hmdb_root: Path, hmdb_root: Path) -> None:
    """An overlay of one key keeps the config's others, as for ``fit``."""
    overlay = {"data": {"init_args": {"utility": part("VPHMDB51", root=str(vp_hmdb_root))}}}
    Path("o.yaml").write_text(yaml.safe_dump(overlay))
    option = f"--data.init_args.utility.init_args.hmdb_root={hmdb_root}"
    data = configured_data(["vp_hmdb.yaml", "o.yaml"], [option])
    assert isinstance(data, PairedDataModule)
    utility = data.modules["utility"]
    assert isinstance(utility, VPHMDB51DataModule)
    assert (utility.root, utility.hmdb_root) == (str(vp_hmdb_root), str(hmdb_root))
    assert utility.reader.sampling == StridedSampling(16, 2)
    assert utility.reader.size == 112
    assert len(utility.dataset("train", "privacy")) == len(hmdb.TRAIN)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("model: {class_path: X}", "must have a section `data`"),
        ("data: [", "must be YAML"),
        ("data: {class_path: PeopleWorldDataModule}", "must be read from files"),
        (
            "data: {class_path: UCF101DataModule, init_args: {root: x, batch_size: 0}}",
            "batch_size: expected 1 or more",
        ),
    ],
)
def test_configs_that_cannot_be_checked(
    config: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("c.yaml").write_text(config)
    with pytest.raises(SystemExit) as caught:
        main(["data", "check", "-c", "c.yaml"])
    assert caught.value.code == 1
    assert message in capsys.readouterr().err


def test_wrong_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    for args in (["check"], ["chek", "-c", "ucf.yaml"], ["check", "-c", "ucf.yaml", "--quik"]):
        with pytest.raises(SystemExit) as caught:
            main(["data", *args])
        assert caught.value.code == 2
    assert "--quik" in capsys.readouterr().err
