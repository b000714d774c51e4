import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from blackbox_anon.datamodules import (
    PAHMDB51DataModule,
    PairedDataModule,
    UCF101DataModule,
    VISPRDataModule,
)
from blackbox_anon.datasets import PA_HMDB51_ATTRIBUTES, VISPR1_ATTRIBUTES, VISPR2_ATTRIBUTES
from tests.data.readers import reader
from tests.data.real import ROOT, needs_real_data
from tests.datamodules.parts import Keeper, trainer


def novel(ucf_root: Path, vispr_root: Path, hmdb_root: Path, pa_root: Path) -> PairedDataModule:
    """As configs/novel.yaml has it."""
    both: dict[str, Any] = {"num_workers": 0, "batch_size": 2}
    return PairedDataModule(
        UCF101DataModule(str(ucf_root), reader=reader(2, 16), **both),
        VISPRDataModule(str(vispr_root), size=16, **both),
        test_utility=PAHMDB51DataModule(
            str(pa_root), hmdb_root=str(hmdb_root), reader=reader(2, 16), **both
        ),
        test_privacy=VISPRDataModule(str(vispr_root), attributes="vispr2", size=16, **both),
        novel_attributes=True,
    )


def relabelled(vispr_root: Path, folder: Path) -> Path:
    """The same photographs; every training one shows all VISPR2 attributes beside its own."""
    shutil.copytree(vispr_root, folder)
    for file in (folder / "annotations" / "train2017").iterdir():
        record = json.loads(file.read_text())
        record["labels"] = sorted({*record["labels"], *VISPR2_ATTRIBUTES})
        file.write_text(json.dumps(record))
    return folder


def test_novel_attributes_do_not_reach_training(
    ucf_root: Path, vispr_root: Path, hmdb_root: Path, pa_hmdb_root: Path, tmp_path: Path
) -> None:
    seen = []
    for root in (vispr_root, relabelled(vispr_root, tmp_path / "vispr")):
        model, data = Keeper(), novel(ucf_root, root, hmdb_root, pa_hmdb_root)
        trainer(tmp_path).fit(model, data)
        seen.append([batch["privacy"] for batch in model.batches["train"]])
        assert data.attributes == list(VISPR1_ATTRIBUTES)
        assert not set(data.attributes) & set(data.test_attributes)
    for as_it_was, with_labels in zip(*seen, strict=True):
        assert as_it_was["name"] == with_labels["name"]
        assert torch.equal(as_it_was["attributes"], with_labels["attributes"])
        assert as_it_was.keys() == with_labels.keys() == {"frames", "attributes", "name"}


def test_novel_classes_and_attributes_are_tested(
    ucf_root: Path, vispr_root: Path, hmdb_root: Path, pa_hmdb_root: Path, tmp_path: Path
) -> None:
    model, data = Keeper(), novel(ucf_root, vispr_root, hmdb_root, pa_hmdb_root)
    assert data.class_texts[0] == "Apply eye makeup"
    trainer(tmp_path).test(model, data, verbose=False)
    assert data.class_texts == ["brush hair", "cartwheel", "wave"]
    assert data.test_attributes == list(VISPR2_ATTRIBUTES)
    labels = torch.cat([b["attributes"] for i, _, b in model.batches["test"] if i == 1])
    assert labels[:, VISPR2_ATTRIBUTES.index("a59_sports")].tolist() == [1, 0, 0]
    assert labels.sum() == 1


def test_attributes_both_trained_and_novel_are_refused(ucf_root: Path, vispr_root: Path) -> None:
    both = VISPRDataModule(str(vispr_root), attributes=["a4_gender", "a11_tattoo"])
    sets = (UCF101DataModule(str(ucf_root)), both)
    tested = VISPRDataModule(str(vispr_root), attributes="vispr2")
    with pytest.raises(ValueError, match=r"never sees; found \['a11_tattoo'\]"):
        PairedDataModule(*sets, test_privacy=tested, novel_attributes=True)
    with pytest.raises(ValueError, match="or `novel_attributes: true`"):
        PairedDataModule(*sets, test_privacy=tested)
    with pytest.raises(ValueError, match="never sees"):
        PairedDataModule(*sets, novel_attributes=True)


def test_an_attacker_learns_the_test_attributes_from_training_photographs(
    ucf_root: Path, vispr_root: Path, hmdb_root: Path, pa_hmdb_root: Path
) -> None:
    data = novel(ucf_root, vispr_root, hmdb_root, pa_hmdb_root)
    batches = list(data.attacker_dataloader())
    assert all(name.startswith("train2017/") for batch in batches for name in batch["name"])
    assert sum(batch["attributes"][:, 2].sum() for batch in batches) == 2  # sports, of 4 images
    same = PairedDataModule(data.modules["utility"], data.modules["privacy"])
    assert next(iter(same.attacker_dataloader()))["attributes"].shape == (2, 7)


def test_val_split_can_be_the_test_split(vispr_root: Path) -> None:
    data = VISPRDataModule(str(vispr_root), val_split="test2017")
    assert len(data.dataset("val", "privacy")) == 3
    assert data.official_count("val", "privacy") == 8000


def test_alone_it_trains(vispr_root: Path, tmp_path: Path) -> None:
    model = Keeper()
    data = VISPRDataModule(str(vispr_root), batch_size=4, size=16, num_workers=0)
    trainer(tmp_path).fit(model, data)
    [batch] = model.batches["train"]
    assert batch["frames"].shape == (4, 3, 16, 16)
    assert batch["attributes"].shape == (4, data.num_attributes)


@pytest.mark.parametrize("attributes", ["vispr3", ["a4_gendre"], []])
def test_unknown_attributes_are_refused_at_once(attributes: Any) -> None:  # noqa: ANN401  # what a config could say
    with pytest.raises(ValueError, match=r"`attributes` must be one of .*vispr1.* or ids among"):
        VISPRDataModule("nowhere", attributes=attributes)


def test_named_attributes() -> None:
    assert VISPRDataModule("nowhere", attributes="pa_hmdb51").attributes == list(
        PA_HMDB51_ATTRIBUTES
    )
    assert VISPR1_ATTRIBUTES[:6] == PA_HMDB51_ATTRIBUTES


@needs_real_data
def test_splits_and_positives_as_published(tmp_path: Path) -> None:
    """From JSON files as the authors have them, with the tables' labels, and no photograph."""
    root, positives = official_layout(tmp_path), {}
    data = VISPRDataModule(str(root))
    stages: tuple[Any, ...] = ("train", "val", "test")
    counts = [len(data.dataset(stage, "privacy")) for stage in stages]
    assert counts == [10000, 4167, 8000]
    assert counts == [data.official_count(stage, "privacy") for stage in stages]
    for stage in ("train", "test"):
        samples = data.dataset(stage, "privacy")
        labels = [samples.targets(i)["attributes"] for i in range(len(samples))]
        positives[stage] = torch.stack(labels).sum(0).int().tolist()
    assert positives == {
        "train": [4710, 4625, 3484, 2789, 588, 334, 694],
        "test": [3781, 3715, 2792, 2326, 438, 253, 569],
    }


def official_layout(root: Path) -> Path:
    for split in ("train2017", "val2017", "test2017"):
        (root / "images" / split).mkdir(parents=True)
        (root / "annotations" / split).mkdir(parents=True)
        shutil.copy(ROOT / "vispr" / f"{split}.txt", root)
        labels = labels_of(split)
        for line in (root / f"{split}.txt").read_text().split():
            present = labels.get(Path(line).stem, ["a0_safe"])
            (root / line).write_text(json.dumps({"labels": present}))
    return root


def labels_of(split: str) -> dict[str, list[str]]:
    table = ROOT / "vispr" / f"vispr7_{split}.csv"
    if not table.is_file():
        return {}
    header, *rows = [line.split(",") for line in table.read_text().splitlines()]
    return {
        row[0]: [a for a, value in zip(header[1:], row[1:], strict=True) if value == "1"]
        for row in rows
    }
