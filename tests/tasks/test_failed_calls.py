"""Training and evaluation with a black box that loses calls."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.nn import functional

from blackbox_anon.callbacks import CollapseGuard, HistoryRecorder, TailAverage, read_history
from blackbox_anon.errors import TooManyFailuresError
from blackbox_anon.estimators import SPSA, CriticalHistorySPSA
from blackbox_anon.estimators.functional import power_decay, rademacher
from blackbox_anon.tasks import ActionRecognition, FailurePolicy
from blackbox_anon.tasks.parameters import flatten
from blackbox_anon.types import PairBatch
from tests.mllms_fakes import FlakyMLLM
from tests.tasks.parts import B, RecordingMLLM, make_data, make_task, make_trainer

PATIENT = FailurePolicy(min_valid_share=0.0, max_failed_share=1.0)
SKIPPING = FailurePolicy(too_few_pairs="skip", max_failed_share=1.0)
COUNTERS = ("queries", "skipped_steps", "repeated_steps", "failed")


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


def scores(mllm: RecordingMLLM, frames: Tensor) -> Tensor:
    """Class scores of 8-bit frames; the scorer floors log-probabilities at -20."""
    return mllm.logits(frames / 255).log_softmax(dim=-1).clamp_min(-20)


def fit(task: ActionRecognition, folder: Path, *callbacks: Callback, **data: Any) -> Trainer:  # noqa: ANN401  # the data's own
    trainer = make_trainer(folder, callbacks=list(callbacks))
    trainer.fit(task, make_data(**data))
    return trainer


def state(task: ActionRecognition, *, but: tuple[str, ...] = ()) -> dict[str, Tensor]:
    return {k: v.clone() for k, v in task.state_dict().items() if k not in but}


def assert_equal(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name


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


def test_a_skipped_step_changes_nothing(tmp_path: Path) -> None:
    estimator = CriticalHistorySPSA(0.05, capacity=2)
    task = make_task(FlakyMLLM(RecordingMLLM(), 1.0), estimator=estimator, failures=SKIPPING)
    before = state(task, but=COUNTERS)
    callbacks = [CollapseGuard(patience=1, every=1), HistoryRecorder(), TailAverage(0.0)]
    trainer = fit(task, tmp_path, *callbacks)
    assert_equal(before, state(task, but=COUNTERS))
    assert trainer.global_step == 0
    assert not any(optimizer.state for optimizer in trainer.optimizers)
    assert task.skipped
    assert task.skipped_steps == 3
    assert task.steps == task.repeated_steps == 0
    assert task.queries == task.failed.sum() == 3 * 2 * B
    assert not list(tmp_path.iterdir()), "no history line, no checkpoint"


def test_a_run_goes_on_after_a_skipped_step(tmp_path: Path) -> None:
    """The second of three batches is lost: every callback sees the two others only."""
    task = make_task(FlakyMLLM(RecordingMLLM(), [0.0, 1.0, 0.0]), failures=SKIPPING)
    iterates: list[Tensor] = []
    recorder = HistoryRecorder()

    class Keep(Callback):
        def on_train_batch_end(self, *_: object) -> None:
            iterates.append(flatten(task.trained))

    fit(task, tmp_path, Keep(), CollapseGuard(every=1), recorder, TailAverage(0.0))
    assert task.steps == 2
    assert task.skipped_steps == 1
    assert torch.equal(iterates[0], iterates[1])
    assert recorder.path is not None
    history = read_history(recorder.path)
    assert history["queries"] == [2 * B, 6 * B]
    assert history["skipped_steps"] == [0, 1]
    expected = (iterates[0] + iterates[2]) / 2
    torch.testing.assert_close(flatten(task.trained), expected, rtol=1e-6, atol=1e-7)


def test_a_run_whose_last_batch_is_skipped_ends_at_the_mean(tmp_path: Path) -> None:
    task = make_task(FlakyMLLM(RecordingMLLM(), [0.0, 0.0, 1.0]), failures=SKIPPING)
    average = TailAverage(0.0)
    fit(task, tmp_path, average)
    assert average.count == 2
    assert average.mean is not None
    assert torch.equal(flatten(task.trained), average.mean)


def test_a_repeated_step_asks_the_same_and_is_the_same_step(tmp_path: Path) -> None:
    recording = RecordingMLLM()
    mllm = FlakyMLLM(recording, [0.0, 1.0, 1.0, 0.0])
    plain, repeated = make_task(), make_task(mllm, failures=FailurePolicy(max_failed_share=1.0))
    for task in (plain, repeated):
        fit(task, tmp_path)
    assert_equal(state(plain, but=COUNTERS), state(repeated, but=COUNTERS))
    assert repeated.repeated_steps == 2
    assert repeated.skipped_steps == 0
    assert repeated.queries == mllm.queries == 5 * 2 * B
    second, again, third, _ = [frames for frames, _ in recording.asked[1:]]
    assert torch.equal(second, again)
    assert torch.equal(second, third)


def test_repeats_come_to_an_end(tmp_path: Path) -> None:
    mllm = FlakyMLLM(RecordingMLLM(), [1.0, 1.0, 1.0, 0.0])
    policy = FailurePolicy(max_repeats=2, max_failed_share=1.0)
    task = make_task(mllm, failures=policy)
    fit(task, tmp_path)
    assert task.skipped_steps == 1
    assert task.repeated_steps == task.steps == 2


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


def test_a_test_is_of_the_answered_clips(tmp_path: Path) -> None:
    recording = RecordingMLLM()
    mllm = FlakyMLLM(recording, [0.5], seed=1)
    task, data = make_task(mllm), make_data(test_clips=8, batch_size=4)
    trainer = make_trainer(tmp_path)
    [found, _] = trainer.test(task, data, verbose=False)
    kept = ~torch.cat(mllm.lost)
    assert 0 < kept.sum() < 8
    labels = torch.cat([batch["label"] for batch in data.test_dataloader()[0]])[kept]
    logits = torch.cat([scores(recording, frames) for frames, _ in recording.asked])[kept]
    assert found["test/top1"] == pytest.approx((logits.argmax(1) == labels).double().mean().item())
    loss = functional.cross_entropy(logits, labels).item()
    assert found["test/utility_loss"] == pytest.approx(loss, rel=1e-4)
    assert found["test/failed"] == (~kept).sum()
    written = json.loads((tmp_path / "results.json").read_text())["utility"]
    assert written["mllm_failures"] == {"timeout": int((~kept).sum())}
    assert written["samples"] == kept.sum()
    assert task.evaluation_queries == 8


def test_a_batch_without_an_answer_costs_nothing_else(tmp_path: Path) -> None:
    mllm = FlakyMLLM(RecordingMLLM(), [1.0, 0.0])
    task, data = make_task(mllm), make_data(val_clips=4)
    [found, _] = make_trainer(tmp_path, limit_val_batches=1.0).validate(task, data, verbose=False)
    assert found["val/failed"] == B
    assert np.isfinite(found["val/utility_loss"])


def test_an_evaluation_without_any_answer_is_refused(tmp_path: Path) -> None:
    task = make_task(FlakyMLLM(RecordingMLLM(), 1.0))
    with pytest.raises(TooManyFailuresError, match="In all 2 of 2 failed: timeout 2"):
        make_trainer(tmp_path, limit_val_batches=1.0).validate(task, make_data(), verbose=False)


def test_results_without_failures_do_not_speak_of_them(tmp_path: Path) -> None:
    [found, _] = make_trainer(tmp_path).test(make_task(), make_data(), verbose=False)
    assert found["test/failed"] == 0
    assert "mllm_failures" not in json.loads((tmp_path / "results.json").read_text())["utility"]


def test_a_checkpoint_without_these_counters_is_continued(tmp_path: Path) -> None:
    task = make_task()
    trainer = fit(task, tmp_path)
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    saved = torch.load(tmp_path / "run.ckpt", weights_only=True)
    for name in ("skipped_steps", "repeated_steps", "failed"):
        del saved["state_dict"][name]
    torch.save(saved, tmp_path / "old.ckpt")
    loaded = make_task(seed=1)
    path = str(tmp_path / "old.ckpt")
    make_trainer(tmp_path, max_epochs=2).fit(loaded, make_data(), ckpt_path=path, weights_only=True)
    assert loaded.steps == 6
    assert loaded.skipped_steps == 0


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
