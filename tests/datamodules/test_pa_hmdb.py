from pathlib import Path

import pytest

from blackbox_anon.datamodules import (
    HMDB51DataModule,
    PAHMDB51DataModule,
    PairedDataModule,
    UCF101DataModule,
    VISPRDataModule,
)
from blackbox_anon.datasets import PA_HMDB51_ATTRIBUTES, VITA_ATTRIBUTES
from blackbox_anon.errors import DatasetNotFoundError
from tests.data import hmdb
from tests.data.readers import reader
from tests.data.real import ROOT, needs_real_data
from tests.datamodules.parts import Keeper, trainer


def test_alone_clips_come_first_then_frames(
    hmdb_root: Path, pa_hmdb_root: Path, tmp_path: Path
) -> None:
    data = PAHMDB51DataModule(
        str(pa_hmdb_root), hmdb_root=str(hmdb_root), reader=reader(2, 16), num_workers=0
    )
    model = Keeper()
    trainer(tmp_path).test(model, data, verbose=False)
    clips = [batch for index, _, batch in model.batches["test"] if index == 0]
    frames = [batch for index, _, batch in model.batches["test"] if index == 1]
    assert clips[0]["frames"].shape == (3, 2, 3, 16, 16)
    assert clips[0]["label"].tolist() == [0, 1, 2]
    assert frames[0]["frames"].shape == (8, 3, 16, 16)
    assert frames[0]["attributes"].shape == (8, 6)
    assert data.class_texts == ["brush hair", "cartwheel", "wave"]
    assert data.num_attributes == 6


def test_it_is_not_trained_on(hmdb_root: Path, pa_hmdb_root: Path) -> None:
    data = PAHMDB51DataModule(str(pa_hmdb_root), hmdb_root=str(hmdb_root))
    with pytest.raises(ValueError, match="found as a training set"):
        data.setup("fit")


def test_test_attributes_are_the_trained_ones(hmdb_root: Path, pa_hmdb_root: Path) -> None:
    pa_hmdb51 = PAHMDB51DataModule(str(pa_hmdb_root), hmdb_root=str(hmdb_root))
    with pytest.raises(ValueError, match="`test_privacy` must have the attributes of `privacy`"):
        PairedDataModule(
            HMDB51DataModule(str(hmdb_root)), VISPRDataModule("nowhere"), test_privacy=pa_hmdb51
        )


def test_a_set_serves_where_it_can(ucf_root: Path) -> None:
    ucf101, vispr = UCF101DataModule(str(ucf_root)), VISPRDataModule("nowhere")
    with pytest.raises(ValueError, match="`utility` must be a set for utility; found VISPRData"):
        PairedDataModule(vispr, vispr)
    with pytest.raises(ValueError, match=r"`test_privacy` must be .*; found UCF101DataModule"):
        PairedDataModule(ucf101, vispr, test_privacy=ucf101)


def test_a_set_without_a_training_part_is_not_trained_on(pa_hmdb_root: Path) -> None:
    pa_hmdb51 = PAHMDB51DataModule(str(pa_hmdb_root))
    with pytest.raises(ValueError, match="`utility` must be a set with a training part"):
        PairedDataModule(pa_hmdb51, VISPRDataModule("nowhere"))


def test_a_guard_that_leaves_nothing_says_so(
    hmdb_root: Path, pa_hmdb_root: Path, vispr_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tested = PAHMDB51DataModule(str(pa_hmdb_root), hmdb_root=str(hmdb_root))
    data = PairedDataModule(
        HMDB51DataModule(str(hmdb_root)),
        VISPRDataModule(str(vispr_root), attributes="pa_hmdb51"),
        test_utility=tested,
    )
    monkeypatch.setattr(tested.dataset("test", "utility"), "names", list(hmdb.TRAIN))
    with pytest.raises(DatasetNotFoundError, match="leak_guard: expected training samples"):
        data.dataset("train", "utility")


@pytest.mark.parametrize("named", ["pa_hmdb51", "vita"])
def test_named_attributes(named: str) -> None:
    data = PAHMDB51DataModule("nowhere", attributes=named)  # type: ignore[arg-type]  # a literal
    expected = {"pa_hmdb51": PA_HMDB51_ATTRIBUTES, "vita": VITA_ATTRIBUTES}
    assert data.attributes == list(expected[named])


@needs_real_data
def test_clips_and_frames_as_published() -> None:
    data = PAHMDB51DataModule(str(ROOT / "pa_hmdb51"), hmdb_root=str(ROOT / "hmdb51"))
    assert len(data.dataset("test", "utility")) == data.official_count("test", "utility") == 515
    frames = data.dataset("test", "privacy")
    assert len(frames) == data.official_count("test", "privacy") == 52411
    assert set(frames.origins) == set(data.dataset("test", "utility").names)
    assert len(data.classes) == 51
