"""Two processes hold the same parameters after every step, and count all queries."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from blackbox_anon.callbacks import CollapseGuard, HistoryRecorder
from blackbox_anon.estimators import CriticalHistory, CriticalHistorySPSA, OutputSpaceSPSA
from blackbox_anon.tasks import ActionRecognition, FailurePolicy
from tests.mllms_fakes import FlakyMLLM
from tests.tasks.parts import B, RecordingMLLM, make_data, make_task, make_trainer
from tests.tasks.ranks import on_two_ranks

STEPS = 3  # 12 clips, 2 a rank and step


def fit(task: ActionRecognition, folder: Path) -> dict[str, Tensor]:
    """Train on both ranks and return the state afterwards."""
    trainer = make_trainer(
        folder,
        devices=2,
        strategy="ddp_find_unused_parameters_true",
        callbacks=[CollapseGuard(every=2), HistoryRecorder()],
        limit_val_batches=1.0,
    )
    trainer.fit(task, make_data(train_clips=4 * STEPS, val_clips=4))
    return {name: tensor.clone() for name, tensor in task.state_dict().items()}


def train(rank: int, folder: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, estimator in (
        ("critical", CriticalHistorySPSA(0.05, capacity=2)),
        ("output-space", OutputSpaceSPSA(history=CriticalHistory(0, capacity=2))),
    ):
        mllm = RecordingMLLM()
        task = make_task(mllm, estimator=estimator)
        state = fit(task, folder / name)
        seen = torch.stack([frames for frames, _ in mllm.asked[:STEPS]])
        found[name] = {"state": state, "asked": seen, "made": mllm.queries}
    return found | {"flaky": train_flaky(rank, folder / "flaky")}


# Of the answers to each call. Both ranks lose the third step and ask again; in validation the
# second rank has no answer at all.
LOST = [[0.0, 0.0, 1.0, 0.0, 0.0], [1.0, 0.5, 1.0, 0.0, 1.0]]


def train_flaky(rank: int, folder: Path) -> dict[str, object]:
    """Lose calls on one rank more than on the other."""
    mllm = FlakyMLLM(RecordingMLLM(), LOST[rank], seed=1)
    policy = FailurePolicy(min_valid_share=0.3, max_failed_share=1.0)
    task = make_task(mllm, estimator=CriticalHistorySPSA(0.05, capacity=2), failures=policy)
    state = fit(task, folder)
    return {"state": state, "lost": sum(int(lost.sum()) for lost in mllm.lost[:-1])}


def test_ranks_agree_after_every_step(tmp_path: Path) -> None:
    first, second = on_two_ranks(train, tmp_path)
    assert_flaky_ranks_agree(first["flaky"], second["flaky"])
    for name in ("critical", "output-space"):
        ours, theirs = first[name], second[name]
        assert not torch.equal(ours["asked"], theirs["asked"]), "both ranks read the same clips"
        assert_equal_but_for_own_batches(ours["state"], theirs["state"])
        assert ours["state"]["steps"] == STEPS
        counted = ours["state"]["queries"] + ours["state"]["evaluation_queries"]
        assert counted == ours["made"] + theirs["made"]
        assert ours["state"]["queries"] == 2 * STEPS * 2 * B
        assert (tmp_path / name / "last_good.ckpt").is_file()
        rows = (tmp_path / name / "history.jsonl").read_text().splitlines()
        assert len(rows) == STEPS, "one line per step, from one rank"


def assert_flaky_ranks_agree(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert_equal_but_for_own_batches(ours["state"], theirs["state"])
    assert ours["state"]["steps"] == STEPS
    assert ours["state"]["repeated_steps"] == 1
    assert ours["state"]["skipped_steps"] == 0
    assert ours["state"]["queries"] == 2 * (STEPS + 1) * 2 * B
    assert ours["lost"] < theirs["lost"]
    assert ours["state"]["failed"].sum() == ours["lost"] + theirs["lost"]


def assert_equal_but_for_own_batches(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    local = ("running_mean", "running_var")  # of the reviewer: each rank's own batches
    for name, tensor in ours.items():
        if not name.endswith(local):
            assert torch.equal(tensor, theirs[name]), name
