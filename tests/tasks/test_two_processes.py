"""Two processes hold the same parameters after every step, and count all queries."""

import faulthandler
import os
import socket
import warnings
from pathlib import Path
from typing import Any

import torch
from torch.multiprocessing.spawn import spawn

from blackbox_anon.callbacks import CollapseGuard, HistoryRecorder
from blackbox_anon.estimators import CriticalHistory, CriticalHistorySPSA, OutputSpaceSPSA
from blackbox_anon.tasks import FailurePolicy
from tests.mllms_fakes import FlakyMLLM
from tests.tasks.parts import B, RecordingMLLM, make_data, make_task, make_trainer
from tests.tasks.services import LinearService

STEPS = 3  # 12 clips, 2 a rank and step


def train(rank: int, folder: str, port: int) -> None:
    os.environ |= {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": "2",
        "NODE_RANK": "0",
        "LOCAL_RANK": str(rank),
        "OMP_NUM_THREADS": "1",
    }
    torch.set_num_threads(1)
    faulthandler.dump_traceback_later(240, exit=True)  # a rank that waits for the other says where
    warnings.simplefilter("ignore")  # they are errors in the one-process tests
    found = {}
    for name, estimator in (
        ("critical", CriticalHistorySPSA(0.05, capacity=2)),
        ("output-space", OutputSpaceSPSA(history=CriticalHistory(0, capacity=2))),
    ):
        mllm = RecordingMLLM()
        task = make_task(mllm, estimator=estimator)
        trainer = make_trainer(
            Path(folder) / name,
            devices=2,
            strategy="ddp_find_unused_parameters_true",
            callbacks=[CollapseGuard(every=2), HistoryRecorder()],
            limit_val_batches=1.0,
        )
        trainer.fit(task, make_data(train_clips=4 * STEPS, val_clips=4))
        seen = torch.stack([frames for frames, _ in mllm.asked[:STEPS]])
        state = {k: v.clone() for k, v in task.state_dict().items()}
        found[name] = {"state": state, "asked": seen, "made": mllm.queries}
    found["flaky"] = train_flaky(rank, Path(folder) / "flaky")
    found["overlapping"] = train_overlapping(Path(folder) / "overlapping")
    torch.save(found, Path(folder) / f"{rank}.pt")


# Of the answers to each call. Both ranks lose the third step and ask again; in validation the
# second rank has no answer at all.
LOST = [[0.0, 0.0, 1.0, 0.0, 0.0], [1.0, 0.5, 1.0, 0.0, 1.0]]


def train_flaky(rank: int, folder: Path) -> dict[str, object]:
    """Lose calls on one rank more than on the other."""
    mllm = FlakyMLLM(RecordingMLLM(), LOST[rank], seed=1)
    policy = FailurePolicy(min_valid_share=0.3, max_failed_share=1.0)
    task = make_task(mllm, estimator=CriticalHistorySPSA(0.05, capacity=2), failures=policy)
    trainer = make_trainer(
        folder,
        devices=2,
        strategy="ddp_find_unused_parameters_true",
        callbacks=[CollapseGuard(every=2), HistoryRecorder()],
        limit_val_batches=1.0,
    )
    trainer.fit(task, make_data(train_clips=4 * STEPS, val_clips=4))
    state = {k: v.clone() for k, v in task.state_dict().items()}
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
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    spawn(train, (str(tmp_path), port), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    assert_flaky_ranks_agree(first["flaky"], second["flaky"])
    assert_overlapping_ranks_agree(first["overlapping"], second["overlapping"])
    for name in ("critical", "output-space"):
        ours, theirs = first[name], second[name]
        assert not torch.equal(ours["asked"], theirs["asked"]), "both ranks read the same clips"
        local = ("running_mean", "running_var")  # of the reviewer: each rank's own batches
        for key, tensor in ours["state"].items():
            if not key.endswith(local):
                assert torch.equal(tensor, theirs["state"][key]), f"{name}: {key}"
        assert ours["state"]["steps"] == STEPS
        counted = ours["state"]["queries"] + ours["state"]["evaluation_queries"]
        assert counted == ours["made"] + theirs["made"]
        assert ours["state"]["queries"] == 2 * STEPS * 2 * B
        assert (tmp_path / name / "last_good.ckpt").is_file()
        rows = (tmp_path / name / "history.jsonl").read_text().splitlines()
        assert len(rows) == STEPS, "one line per step, from one rank"


def assert_flaky_ranks_agree(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    local = ("running_mean", "running_var")  # of the reviewer: each rank's own batches
    for key, tensor in ours["state"].items():
        if not key.endswith(local):
            assert torch.equal(tensor, theirs["state"][key]), key
    assert ours["state"]["steps"] == STEPS
    assert ours["state"]["repeated_steps"] == 1
    assert ours["state"]["skipped_steps"] == 0
    assert ours["state"]["queries"] == 2 * (STEPS + 1) * 2 * B
    assert ours["lost"] < theirs["lost"]
    assert ours["state"]["failed"].sum() == ours["lost"] + theirs["lost"]


def assert_overlapping_ranks_agree(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    local = ("running_mean", "running_var")  # of the reviewer: each rank's own batches
    for key, tensor in ours.items():
        if not key.endswith(local):
            assert torch.equal(tensor, theirs[key]), key
    assert ours["steps"] == STEPS
    assert ours["repeated_steps"] == 1
    assert ours["queries"] == 2 * (STEPS + 1) * 2 * B
