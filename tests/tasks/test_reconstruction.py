"""Stage 0, with and without attributes."""

from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, Trainer

from blackbox_anon.anonymizers import UNetAnonymizer
from blackbox_anon.tasks import ReconstructionTask
from blackbox_anon.types import PrivacyBatch
from blackbox_anon.world import PeopleWorldDataModule

ENCODER = "tu-tf_mobilenetv3_small_minimal_100"


def make(weight: float) -> ReconstructionTask:
    return ReconstructionTask(
        UNetAnonymizer(ENCODER, depth=3, width=8),
        attribute_weight=weight,
        optimizer=lambda p: torch.optim.Adam(p, lr=3e-3),
    )


class Listener(Callback):
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.seen: list[dict[str, float]] = []

    def on_train_batch_end(self, trainer: Trainer, *args: object, **kwargs: object) -> None:
        del args, kwargs
        self.seen.append({name: float(value) for name, value in trainer.callback_metrics.items()})


def fit(task: ReconstructionTask, folder: Path, steps: int) -> list[dict[str, float]]:
    """Train, and return what was logged at each step."""
    listener = Listener()
    trainer = Trainer(
        callbacks=[listener],
        max_steps=steps,
        accelerator="cpu",
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
    )
    data = PeopleWorldDataModule(train_clips=40, batch_size=1, privacy_batch_size=16, world_seed=3)
    trainer.fit(task, data)
    return listener.seen


def test_features_learn_to_tell_attributes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    seen = fit(make(0.1), tmp_path, 40)
    told = [step["train/attributes"] for step in seen]
    assert sum(told[-10:]) < 0.97 * sum(told[:10])


def test_without_a_weight_nothing_asks_for_attributes(tmp_path: Path) -> None:
    task = make(0.0)
    assert not list(task.evidence.parameters())
    assert all("train/attributes" not in step for step in fit(task, tmp_path, 2))


def test_clips_count_frame_by_frame() -> None:
    torch.manual_seed(0)
    task = make(0.1).eval()
    frames, attributes = torch.rand(2, 3, 3, 32, 32), torch.eye(2, 7)
    clips: PrivacyBatch = {"frames": frames, "attributes": attributes, "name": ["a", "b"]}
    images: PrivacyBatch = {
        "frames": frames.flatten(0, 1),
        "attributes": attributes.repeat_interleave(3, 0),
        "name": ["a"] * 3 + ["b"] * 3,
    }
    torch.testing.assert_close(task.attribute_loss(clips), task.attribute_loss(images))


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match=r"`attribute_weight` must be 0 or more; found -1"):
        make(-1.0)
