"""What holds for a set of clips with attributes, whichever videos it is of."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from blackbox_anon.datamodules import AbstractDataModule, PairedDataModule
from blackbox_anon.datasets import VITA_ATTRIBUTES
from tests.datamodules.parts import Keeper, trainer


def assert_is_both_halves_of_a_pair(
    first: AbstractDataModule,
    second: AbstractDataModule,
    folder: Path,
    *,
    trained_on: Sequence[str],
    classes: Sequence[str],
    rows: Mapping[str, Sequence[float]],
) -> None:
    data, model = PairedDataModule(first, second), Keeper()
    trainer(folder).fit(model, data)
    [batch] = model.batches["train"]
    for part in ("utility", "privacy"):
        assert sorted(batch[part]["name"]) == sorted(trained_on)
        assert batch[part]["frames"].shape == (3, 2, 3, 16, 16)
        labels = [rows[clip] for clip in batch[part]["name"]]
        assert torch.equal(batch[part]["attributes"], torch.tensor(labels, dtype=torch.float32))
        named = [classes[label] for label in batch[part]["label"].tolist()]
        assert named == [clip.split("/")[0] for clip in batch[part]["name"]]
    assert (data.num_attributes, data.classes) == (5, list(classes))
    assert first.class_texts != first.classes


def assert_has_a_loader_for_each_role(data: AbstractDataModule) -> None:
    assert len(data.test_dataloader()) == 2
    assert data.attributes == list(VITA_ATTRIBUTES)


def assert_counts(data: AbstractDataModule, train: int, test: int, classes: int) -> None:
    for stage, count in (("train", train), ("test", test)):
        assert len(data.dataset(stage, "privacy")) == count  # type: ignore[arg-type]  # a stage
        assert data.official_count(stage, "privacy") == count  # type: ignore[arg-type]
    assert len(data.classes) == classes
