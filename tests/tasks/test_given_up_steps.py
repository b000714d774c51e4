"""Steps that are skipped or repeated because too few answered."""

from pathlib import Path

import torch
from lightning.pytorch import Callback
from torch import Tensor

from blackbox_anon.callbacks import CollapseGuard, HistoryRecorder, TailAverage, read_history
from blackbox_anon.estimators import CriticalHistorySPSA
from blackbox_anon.tasks import FailurePolicy
from blackbox_anon.tasks.parameters import flatten
from tests.mllms_fakes import FlakyMLLM
from tests.tasks.lossy import fit, state
from tests.tasks.parts import B, RecordingMLLM, assert_equal, make_data, make_task, make_trainer

SKIPPING = FailurePolicy(too_few_pairs="skip", max_failed_share=1.0)
COUNTERS = ("queries", "skipped_steps", "repeated_steps", "failed")


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
