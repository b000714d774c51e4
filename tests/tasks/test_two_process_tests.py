"""A test on two processes, with a sample repeated to make shares equal, is that of one process."""

import json
from pathlib import Path
from typing import Any

import pytest

from blackbox_anon.judges import AbstractJudge, CoTrainedReviewer, RetrainedClassifier
from tests.tasks.parts import make_data, make_task, make_trainer
from tests.tasks.ranks import on_two_ranks

CLIPS = 5  # three a rank: one comes twice


def run_test(judge: AbstractJudge, folder: Path, **kwargs: Any) -> dict[str, float]:  # noqa: ANN401  # the trainer's own
    found: dict[str, float] = {}
    task = make_task(privacy_judge=judge)
    for part in make_trainer(folder, **kwargs).test(
        task, make_data(test_clips=CLIPS), verbose=False
    ):
        found |= part
    return found | {"queries": float(task.evaluation_queries)}


def share(_: int, folder: Path) -> dict[str, dict[str, float]]:
    judges: tuple[AbstractJudge, ...] = (CoTrainedReviewer(), RetrainedClassifier(steps=2))
    return {
        judge.name: run_test(judge, folder / judge.name, devices=2, strategy="ddp")
        for judge in judges
    }


def test_two_processes_find_what_one_finds(tmp_path: Path) -> None:
    first, second = on_two_ranks(share, tmp_path)
    alone = run_test(CoTrainedReviewer(), tmp_path / "alone")
    for name, value in alone.items():
        if name != "queries":
            assert first["reviewer"][name] == pytest.approx(value, abs=1e-5, nan_ok=True), name
    assert alone["queries"] == CLIPS
    assert first["reviewer"]["queries"] == CLIPS + 1, "every question is counted, also a repeated"
    for judge in ("reviewer", "retrained"):
        assert first[judge] == pytest.approx(second[judge], nan_ok=True)
        written = json.loads((tmp_path / judge / "results.json").read_text())
        assert written["privacy"]["samples"] == CLIPS
        assert written["utility"]["samples"] == CLIPS
