"""Training with a black box that loses calls."""

from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.nn import functional

from blackbox_anon.callbacks import HistoryRecorder, read_history
from blackbox_anon.errors import TooManyFailuresError
from blackbox_anon.estimators import SPSA
from blackbox_anon.estimators.functional import power_decay, rademacher
from blackbox_anon.tasks import ActionRecognition, FailurePolicy
from blackbox_anon.types import PairBatch
from tests.mllms_fakes import FlakyMLLM
from tests.tasks.lossy import fit, scores, state
from tests.tasks.parts import B, RecordingMLLM, assert_equal, make_task

PATIENT = FailurePolicy(min_valid_share=0.0, max_failed_share=1.0)


class Utility(Callback):
    """Each step's utility gradient and loss, and the labels it was asked about."""

    def __init__(self, task: ActionRecognition) -> None:
        self.labels: list[Tensor] = []
        self.found: list[tuple[Tensor, Tensor]] = []
        task.scalarization.register_forward_pre_hook(self._keep)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: PairBatch, batch_idx: int
    ) -> None:
        del trainer, pl_module, batch_idx
        self.labels.append(batch["utility"]["label"])

    def _keep(self, _: nn.Module, args: tuple[Tensor, Tensor]) -> None:
        self.found.append((args[0][0].clone(), args[1][0].clone()))


def test_the_gradient_is_that_of_the_valid_pairs_alone(tmp_path: Path) -> None:
    """The reference sees the 8-bit frames that were asked, and knows the black box's logits."""
    recording = RecordingMLLM()
    mllm = FlakyMLLM(recording, 0.3, seed=1)
    task = make_task(mllm, estimator=SPSA(0.05, num_directions=2), failures=PATIENT)
    utility = Utility(task)
    fit(task, tmp_path, utility, batch_size=4, train_clips=12)
    dropped = 0
    for step, (loss, gradient) in enumerate(utility.found, start=1):
        frames, _ = recording.asked[step - 1]
        labels = utility.labels[step - 1].repeat(4)
        logits = scores(recording, frames)
        losses = functional.cross_entropy(logits, labels, reduction="none").reshape(2, 2, 4)
        lost = mllm.lost[step - 1].reshape(2, 2, 4)
        radius = power_decay(0.05, 0.2, step)
        directions = rademacher(2 * len(gradient), 0, step).reshape(2, -1).numpy()
        pairs = [(d, b) for d in range(2) for b in range(4) if not lost[:, d, b].any()]
        dropped += 8 - len(pairs)
        slopes = [float(losses[0, d, b] - losses[1, d, b]) / (2 * radius) for d, b in pairs]
        expected = np.mean([s * directions[d] for s, (d, _) in zip(slopes, pairs, strict=True)], 0)
        scale = max(map(abs, slopes))
        np.testing.assert_allclose(gradient.numpy(), expected, rtol=0, atol=2e-4 * scale)
        seen = [float(losses[side, d, b]) for d, b in pairs for side in (0, 1)]
        assert loss.item() == pytest.approx(np.mean(seen), rel=1e-4)
    assert len(utility.found) == 3
    assert dropped > 0
    assert task.failed.tolist() == [int(torch.cat(mllm.lost).sum()), 0, 0, 0, 0, 0]
    assert task.scalars["mllm/failed"] == task.scalars["mllm/failed_timeout"] == task.failed.sum()
    assert task.queries == mllm.queries == 3 * 16


def test_a_share_of_zero_changes_nothing(tmp_path: Path) -> None:
    first, second = make_task(RecordingMLLM()), make_task(FlakyMLLM(RecordingMLLM(), 0.0))
    for task in (first, second):
        fit(task, tmp_path)
    assert_equal(state(first), state(second))


def test_too_many_failures_stop_a_run(tmp_path: Path) -> None:
    policy = FailurePolicy(too_few_pairs="skip", min_calls=4 * B, max_failed_share=0.9)
    task = make_task(FlakyMLLM(RecordingMLLM(), 1.0, kind="server_error"), failures=policy)
    with pytest.raises(
        TooManyFailuresError, match=r"In all 8 of 8 failed: server_error 8\. Last: "
    ):
        fit(task, tmp_path)


def test_a_loss_that_is_no_number_still_stops_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make_task(FlakyMLLM(RecordingMLLM(), 0.2))
    monkeypatch.setattr(
        task, "response_losses", lambda said, _: torch.full((len(said),), torch.nan)
    )
    with pytest.raises(ValueError, match=r"`problem\.losses` must be finite"):
        fit(task, tmp_path)


class PaidMLLM(RecordingMLLM):
    def figures(self) -> dict[str, float]:
        return {"spent_usd": self.queries / 100, "cap_usd": 9.0, "attempts": 1.0}


def test_what_the_black_box_counts_is_logged_and_shown(tmp_path: Path) -> None:
    task = make_task(PaidMLLM())
    recorder = HistoryRecorder()
    trainer = fit(task, tmp_path, recorder)
    assert task.scalars["mllm/spent_usd"].item() == pytest.approx(3 * 2 * B / 100)
    assert task.scalars["mllm/attempts"] == 1
    shown = trainer.progress_bar_metrics
    assert shown["mllm/cap_usd"] == 9
    assert "mllm/attempts" not in shown
    assert recorder.path is not None
    assert read_history(recorder.path)["mllm/spent_usd"] == pytest.approx([0.04, 0.08, 0.12])
