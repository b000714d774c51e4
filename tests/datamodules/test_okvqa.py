import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from blackbox_anon.datamodules import OKVQADataModule, PairedDataModule, VISPRDataModule
from blackbox_anon.datasets import VISPR1_ATTRIBUTES
from tests.data.real import ROOT, needs_real_data
from tests.datasets.test_okvqa import POSITIVES

SMALL: dict[str, Any] = {"size": 32, "batch_size": 2, "num_workers": 0}


def pair(okvqa_root: Path, vispr_root: Path, *, same: bool) -> PairedDataModule:
    utility = OKVQADataModule(str(okvqa_root), **SMALL)
    privacy = VISPRDataModule(str(vispr_root), **SMALL)
    tested = OKVQADataModule(str(okvqa_root), **SMALL) if same else None
    return PairedDataModule(utility, privacy, test_privacy=tested)


def test_links_for_the_command_line_need_no_data() -> None:
    data = OKVQADataModule("nowhere")
    assert (data.attributes, data.num_attributes) == (list(VISPR1_ATTRIBUTES), 7)
    assert (data.classes, data.class_texts) == ([], [])
    counts = [data.official_count("test", role) for role in ("privacy", "utility")]
    assert counts == [994, None]
    everything = OKVQADataModule("nowhere", categories="all")
    assert everything.official_count("train", "utility") == 9009
    assert everything.official_count("val", "utility") == 5046


def test_training_pairs_questions_with_vispr(okvqa_root: Path, vispr_root: Path) -> None:
    data = pair(okvqa_root, vispr_root, same=True)
    data.setup("fit")
    batch, _, _ = next(iter(data.train_dataloader()))
    assert batch["utility"].keys() == {"frames", "question", "answers", "name", "unreadable"}
    assert all(len(answers) == 10 for answers in batch["utility"]["answers"])
    assert all(name.startswith("train2014/") for name in batch["utility"]["name"])
    assert batch["privacy"]["attributes"].shape == (2, 7)
    assert all(name.startswith("train2017/") for name in batch["privacy"]["name"])


@pytest.mark.parametrize(("same", "tested"), [(True, "COCO_val2014_"), (False, "test2017/")])
def test_same_and_cross_data_set_privacy(
    same: bool, tested: str, okvqa_root: Path, vispr_root: Path
) -> None:
    data = pair(okvqa_root, vispr_root, same=same)
    data.setup("test")
    utility, privacy = (next(iter(loader)) for loader in data.test_dataloader())
    assert all(name.startswith("val2014/") for name in utility["name"])
    assert all(name.startswith(tested) for name in privacy["name"])
    attacked = next(iter(data.attacker_dataloader()))
    assert all(name.startswith("train2017/") for name in attacked["name"])


def test_privacy_cannot_be_trained_on(okvqa_root: Path) -> None:
    data = OKVQADataModule(str(okvqa_root), **SMALL)
    with pytest.raises(ValueError, match="only val2014 is labelled"):
        data.dataset("train", "privacy")


def test_attributes_of_another_order_are_refused(okvqa_root: Path, vispr_root: Path) -> None:
    turned = list(reversed(VISPR1_ATTRIBUTES))
    with pytest.raises(ValueError, match="`test_privacy` must have the attributes"):
        PairedDataModule(
            OKVQADataModule(str(okvqa_root)),
            VISPRDataModule(str(vispr_root)),
            test_privacy=OKVQADataModule(str(okvqa_root), attributes=turned),
        )


def test_categories_by_name(okvqa_root: Path) -> None:
    data = OKVQADataModule(str(okvqa_root), categories=["Cooking and Food"], **SMALL)
    assert data.dataset("test", "utility").names == ["val2014/93"]
    everything = OKVQADataModule(str(okvqa_root), categories="all", **SMALL)
    assert len(everything.dataset("train", "utility")) == 4


@needs_real_data
def test_real_privacy_records(tmp_path: Path) -> None:
    (tmp_path / "val2014").mkdir()
    shutil.copy(ROOT / "okvqa" / "privacy_annotations.json", tmp_path / "annotations.json")
    data = OKVQADataModule("nowhere", privacy_root=str(tmp_path))
    tested = data.dataset("test", "privacy")
    assert len(tested) == data.official_count("test", "privacy") == 994
    labels = torch.stack([tested.targets(i)["attributes"] for i in range(len(tested))])
    found = dict(zip(data.attributes, labels.sum(0).int().tolist(), strict=True))
    assert found == POSITIVES
