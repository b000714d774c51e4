import logging
from pathlib import Path
from typing import Any

import pytest

from blackbox_anon.datamodules import (
    HMDB51DataModule,
    PAHMDB51DataModule,
    PairedDataModule,
    VISPRDataModule,
)
from tests.data import hmdb, pa_hmdb
from tests.data.readers import reader
from tests.data.real import ROOT, needs_real_data
from tests.datamodules.parts import Keeper, trainer

STAGES: tuple[Any, ...] = ("train", "val", "test")


def protocol(
    hmdb_root: Path,
    pa_root: Path,
    vispr_root: Path,
    **settings: Any,  # noqa: ANN401  # of the pair
) -> PairedDataModule:
    """As configs/hmdb.yaml has it."""
    both: dict[str, Any] = {"num_workers": 0, "batch_size": 2}
    tested: dict[str, Any] = {"hmdb_root": str(hmdb_root), "reader": reader(2, 16), **both}
    return PairedDataModule(
        HMDB51DataModule(str(hmdb_root), reader=reader(2, 16), **both),
        VISPRDataModule(str(vispr_root), attributes="pa_hmdb51", size=16, **both),
        test_utility=PAHMDB51DataModule(str(pa_root), **tested),
        test_privacy=PAHMDB51DataModule(str(pa_root), **tested),
        **settings,
    )


def test_class_texts_are_written_as_answers_are(hmdb_root: Path) -> None:
    data = HMDB51DataModule(str(hmdb_root))
    assert data.classes == list(hmdb.CLASSES)
    assert data.class_texts == ["brush hair", "cartwheel", "wave"]


@pytest.mark.parametrize("split", [1, 2, 3])
def test_alone_it_trains_and_tests(hmdb_root: Path, tmp_path: Path, split: Any) -> None:  # noqa: ANN401  # a literal
    data = HMDB51DataModule(
        str(hmdb_root), split=split, batch_size=3, num_workers=0, reader=reader(2, 16)
    )
    model = Keeper()
    trainer(tmp_path).fit(model, data)
    [batch] = model.batches["train"]
    assert dict(zip(batch["name"], batch["label"].tolist(), strict=True)) == {
        name: hmdb.CLASSES.index(name.split("/")[0]) for name in hmdb.TRAIN
    }
    assert batch["frames"].shape == (3, 2, 3, 16, 16)
    trainer(tmp_path).test(model, data, verbose=False)
    assert model.batches["test"][0][2]["name"] == list(hmdb.TEST)
    assert not (tmp_path / "unreadable.txt").exists()


def test_tested_clips_are_not_trained_on(
    hmdb_root: Path,
    pa_hmdb_root: Path,
    vispr_root: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    data, model = protocol(hmdb_root, pa_hmdb_root, vispr_root), Keeper()
    with caplog.at_level(logging.WARNING, "blackbox_anon"):
        trainer(tmp_path).fit(model, data)
    assert "leak guard: 1 of 3 training samples of hmdb51 left out" in caplog.text
    trained = {name for batch in model.batches["train"] for name in batch["utility"]["name"]}
    assert trained == set(hmdb.TRAIN) - {pa_hmdb.LEAKED}
    trainer(tmp_path).test(model, data, verbose=False)
    tested = {name for i, _, b in model.batches["test"] if i == 0 for name in b["name"]}
    assert tested == set(pa_hmdb.CLIPS)
    assert not trained & tested
    assert sum(len(b["name"]) for i, _, b in model.batches["test"] if i == 1) == pa_hmdb.NUM_FRAMES


def test_the_guard_is_a_switch(hmdb_root: Path, pa_hmdb_root: Path, vispr_root: Path) -> None:
    data = protocol(hmdb_root, pa_hmdb_root, vispr_root, leak_guard=False)
    assert data.dataset("train", "utility").names == list(hmdb.TRAIN)


def test_validation_stays_with_the_training_set(
    hmdb_root: Path, pa_hmdb_root: Path, vispr_root: Path
) -> None:
    data = protocol(hmdb_root, pa_hmdb_root, vispr_root)
    assert data.dataset("val", "utility").names == list(hmdb.TEST)
    assert data.dataset("val", "privacy").names[0].startswith("val2017/")


@needs_real_data
@pytest.mark.parametrize("split", [1, 2, 3])
def test_splits_as_published(split: Any) -> None:  # noqa: ANN401  # a literal
    data = HMDB51DataModule(str(ROOT / "hmdb51"), split=split)
    counts = [len(data.dataset(stage, "utility")) for stage in STAGES]
    assert counts == [3570, 1530, 1530]
    assert counts == [data.official_count(stage, "utility") for stage in STAGES]
    assert len(data.classes) == 51


@needs_real_data
def test_286_training_clips_are_in_pa_hmdb51(caplog: pytest.LogCaptureFixture) -> None:
    data = protocol(ROOT / "hmdb51", ROOT / "pa_hmdb51", ROOT / "vispr")
    with caplog.at_level(logging.WARNING, "blackbox_anon"):
        kept = data.dataset("train", "utility")
    assert "leak guard: 286 of 3570 training samples" in caplog.text
    tested = data.dataset("test", "utility")
    assert (len(kept), len(tested), len(data.dataset("test", "privacy"))) == (3284, 515, 52411)
    assert not set(kept.names) & set(tested.names)
    assert kept.classes == tested.classes
