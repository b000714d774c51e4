"""Validation and test with a black box that loses calls."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from blackbox_anon.errors import TooManyFailuresError
from tests.mllms_fakes import FlakyMLLM
from tests.tasks.lossy import scores
from tests.tasks.parts import B, RecordingMLLM, make_data, make_task, make_trainer


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
