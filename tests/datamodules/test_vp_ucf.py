from pathlib import Path

import torch

from blackbox_anon.datamodules import PairedDataModule, VPUCF101DataModule
from blackbox_anon.datasets import VITA_ATTRIBUTES
from tests.data import ucf, vp_ucf
from tests.data.readers import reader
from tests.data.real import ROOT, needs_real_data
from tests.datamodules.parts import Keeper, trainer


def module(labels: Path, videos: Path) -> VPUCF101DataModule:
    return VPUCF101DataModule(
        str(labels), ucf_root=str(videos), batch_size=3, num_workers=0, reader=reader(2, 16)
    )


def test_one_set_is_both_halves_of_a_pair(
    vp_ucf_root: Path, ucf_root: Path, tmp_path: Path
) -> None:
    first, second = (module(vp_ucf_root, ucf_root) for _ in range(2))
    data, model = PairedDataModule(first, second), Keeper()
    trainer(tmp_path).fit(model, data)
    [batch] = model.batches["train"]
    for part in ("utility", "privacy"):
        assert sorted(batch[part]["name"]) == sorted([name for name, _ in ucf.TRAIN])
        assert batch[part]["frames"].shape == (3, 2, 3, 16, 16)
        rows = [vp_ucf.ROWS[clip] for clip in batch[part]["name"]]
        assert torch.equal(batch[part]["attributes"], torch.tensor(rows, dtype=torch.float32))
        classes = [ucf.CLASSES[label] for label in batch[part]["label"].tolist()]
        assert classes == [clip.split("/")[0] for clip in batch[part]["name"]]
    assert (data.num_attributes, data.classes) == (5, list(ucf.CLASSES))
    assert first.class_texts != first.classes


def test_alone_it_has_a_loader_for_each_role(vp_ucf_root: Path, ucf_root: Path) -> None:
    data = module(vp_ucf_root, ucf_root)
    assert len(data.test_dataloader()) == 2
    assert data.attributes == list(VITA_ATTRIBUTES)


@needs_real_data
def test_counts_as_published() -> None:
    data = module(ROOT / "vp", ROOT / "ucf101")
    train, test = (data.dataset(stage, "privacy") for stage in ("train", "test"))
    assert (len(train), len(test)) == (9537, 3783)
    assert len(train) == data.official_count("train", "privacy")
    assert len(test) == data.official_count("test", "privacy")
    assert len(data.classes) == 101
