"""The same seed twice is the same run; so is a run that was stopped at an epoch's end."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from blackbox_anon.callbacks import CollapseGuard
from blackbox_anon.estimators import (
    AbstractEstimator,
    CriticalHistory,
    CriticalHistorySPSA,
    OutputSpaceSPSA,
    SurrogateGuided,
)
from blackbox_anon.surrogates import ClipSurrogate
from blackbox_anon.tasks import ActionRecognition
from tests.tasks.parts import assert_same_state, make_data, make_task, make_trainer

Make = Callable[[], AbstractEstimator]


def surrogate_guided() -> SurrogateGuided:
    torch.manual_seed(3)
    inner = OutputSpaceSPSA(history=CriticalHistory(0, capacity=2))
    return SurrogateGuided(inner, ClipSurrogate(10, width=4))


def run(
    folder: Path, make: Make, epochs: int, *, start: str | None = None, seed: int = 0
) -> ActionRecognition:
    task = make_task(seed=seed, estimator=make(), max_step_norm=0.5)
    saver = ModelCheckpoint(folder, filename="{epoch}", save_top_k=-1)
    trainer = make_trainer(
        folder,
        max_epochs=epochs,
        enable_checkpointing=True,
        callbacks=[saver, CollapseGuard()],
        limit_val_batches=1.0,
    )
    trainer.fit(task, make_data(), ckpt_path=start, weights_only=True)
    return task


@pytest.mark.parametrize(
    "make",
    [
        lambda: CriticalHistorySPSA(0.05, capacity=2),
        lambda: OutputSpaceSPSA(history=CriticalHistory(0, capacity=2)),
        lambda: surrogate_guided(),
    ],
    ids=["critical", "output-space", "surrogate"],
)
def test_stopped_and_resumed_is_the_same_run_bit_for_bit(make: Make, tmp_path: Path) -> None:
    straight = run(tmp_path / "straight", make, 2)
    again = run(tmp_path / "again", make, 2)
    assert_same_state(straight, again)

    run(tmp_path / "stopped", make, 1)
    torch.manual_seed(99)  # nothing may depend on the global generator
    start = str(tmp_path / "stopped" / "epoch=0.ckpt")
    resumed = run(tmp_path / "stopped", make, 2, start=start, seed=5)
    assert_same_state(straight, resumed)
    assert resumed.steps == 6
    assert resumed.queries == 6 * 2 * 2
    names = resumed.state_dict().keys()
    for part in ("history.gradients", "ideal_point.best", "reviewer.", "anonymizer.decoder."):
        assert any(part in name for name in names), part

    saved = [
        torch.load(tmp_path / folder / "epoch=1.ckpt", weights_only=True)
        for folder in ("straight", "stopped")
    ]
    ours, theirs = (str(checkpoint["optimizer_states"]) for checkpoint in saved)
    assert ours == theirs


def test_another_seed_is_another_run(tmp_path: Path) -> None:
    first = run(tmp_path / "0", lambda: CriticalHistorySPSA(0.05, seed=0), 1)
    second = run(tmp_path / "1", lambda: CriticalHistorySPSA(0.05, seed=1), 1)
    assert not torch.equal(first.trained[0], second.trained[0])
