"""Two processes hold the same parameters after every step, and count all queries."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from blackbox_anon.callbacks import CollapseGuard, HistoryRecorder
from blackbox_anon.checkpoints import ExactResume
from blackbox_anon.errors import BudgetExhaustedError
from blackbox_anon.estimators import (
    CriticalHistory,
    CriticalHistorySPSA,
    OutputSpaceSPSA,
    SurrogateGuided,
)
from blackbox_anon.ledger import read_summary
from blackbox_anon.mllms import BudgetedMLLM
from blackbox_anon.surrogates import ClipSurrogate
from blackbox_anon.tasks import ActionRecognition, FailurePolicy
from tests.mllms_fakes import FlakyMLLM
from tests.tasks.parts import B, RecordingMLLM, make_data, make_task, make_trainer
from tests.tasks.ranks import on_two_ranks
from tests.tasks.services import LinearService

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
    state = task.state_dict().items()
    return {name: value.clone() for name, value in state if isinstance(value, Tensor)}


def train(rank: int, folder: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, estimator in (
        ("critical", CriticalHistorySPSA(0.05, capacity=2)),
        ("output-space", OutputSpaceSPSA(history=CriticalHistory(0, capacity=2))),
        ("surrogate", SurrogateGuided(OutputSpaceSPSA(), ClipSurrogate(10, width=4))),
    ):
        mllm = RecordingMLLM()
        task = make_task(mllm, estimator=estimator)
        state = fit(task, folder / name)
        seen = torch.stack([frames for frames, _ in mllm.asked[:STEPS]])
        found[name] = {"state": state, "asked": seen, "made": mllm.queries}
    found |= {name: train_capped(folder / name, cap) for name, cap in CAPS.items()}
    found["overlapping"] = train_overlapping(folder / "overlapping")
    return found | {"flaky": train_flaky(rank, folder / "flaky")}


# Of the calls that the run needs: 8 in each of 3 steps, then 4 in a validation.
CAPS = {"capped": 13, "capped in validation": 26}


def train_capped(folder: Path, cap: int) -> dict[str, object]:
    """Share a cap that is reached in the middle of a step, by one process before the other."""
    folder.mkdir(exist_ok=True)
    mllm = BudgetedMLLM(RecordingMLLM(), path=str(folder / "ledger.db"), max_queries=cap)
    task = make_task(mllm, estimator=CriticalHistorySPSA(0.05, capacity=2))
    resume = ExactResume(dirpath=str(folder / "resume"))
    trainer = make_trainer(
        folder,
        devices=2,
        strategy="ddp_find_unused_parameters_true",
        callbacks=[resume],
        limit_val_batches=1.0,
    )
    said = ""
    try:
        trainer.fit(task, make_data(train_clips=4 * STEPS, val_clips=4))
    except BudgetExhaustedError as error:
        said = str(error)
    saved = [path.name for path in resume.folder(trainer).checkpoints()]
    return {"steps": int(task.steps), "said": said, "saved": saved}


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


def train_overlapping(folder: Path) -> dict[str, object]:
    """Do the privacy half, with its collectives, while the query is in flight."""
    policy = FailurePolicy(max_failed_share=1.0)
    estimator = OutputSpaceSPSA()  # averages gradients after the answers
    task = make_task(LinearService(2 * B, lost={1}), estimator=estimator, failures=policy)
    strategy = "ddp_find_unused_parameters_true"
    make_trainer(folder, devices=2, strategy=strategy).fit(task, make_data(train_clips=4 * STEPS))
    assert task._overlaps
    return {k: v.clone() for k, v in task.state_dict().items()}


def test_ranks_agree_after_every_step(tmp_path: Path) -> None:
    first, second = on_two_ranks(train, tmp_path)
    assert_flaky_ranks_agree(first["flaky"], second["flaky"])
    for name, cap in CAPS.items():
        assert_capped_ranks_stop(first[name], second[name], cap // 8)
        assert read_summary(tmp_path / name / "ledger.db").attempts() == cap
    assert first["capped"]["saved"] == ["resume-step=00000001.ckpt"]
    assert_overlapping_ranks_agree(first["overlapping"], second["overlapping"])
    for name in ("critical", "output-space", "surrogate"):
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


def assert_capped_ranks_stop(ours: dict[str, Any], theirs: dict[str, Any], steps: int) -> None:
    """Both after the same step; who did not meet the cap itself says that another one did."""
    for found in (ours, theirs):
        assert "cap of queries is reached" in found["said"] or "another process" in found["said"]
        assert found["steps"] == steps
    assert any("cap of queries is reached" in found["said"] for found in (ours, theirs))


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


def assert_overlapping_ranks_agree(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert_equal_but_for_own_batches(ours, theirs)
    assert ours["steps"] == STEPS
    assert ours["repeated_steps"] == 1
    assert ours["queries"] == 2 * (STEPS + 1) * 2 * B
