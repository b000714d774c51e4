"""A test on two processes, with a sample repeated to make shares equal, is that of one process."""

import faulthandler
import json
import os
import socket
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.multiprocessing.spawn import spawn

from blackbox_anon.judges import AbstractJudge, CoTrainedReviewer, RetrainedClassifier
from tests.tasks.parts import make_data, make_task, make_trainer

CLIPS = 5  # three a rank: one comes twice


def run_test(judge: AbstractJudge, folder: Path, **kwargs: Any) -> dict[str, float]:  # noqa: ANN401  # the trainer's own
    found: dict[str, float] = {}
    task = make_task(privacy_judge=judge)
    for part in make_trainer(folder, **kwargs).test(
        task, make_data(test_clips=CLIPS), verbose=False
    ):
        found |= part
    return found | {"queries": float(task.evaluation_queries)}


def share(rank: int, folder: str, port: int) -> None:
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
    judges: tuple[AbstractJudge, ...] = (CoTrainedReviewer(), RetrainedClassifier(steps=2))
    found = {
        judge.name: run_test(judge, Path(folder) / judge.name, devices=2, strategy="ddp")
        for judge in judges
    }
    torch.save(found, Path(folder) / f"{rank}.pt")


def test_two_processes_find_what_one_finds(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    spawn(share, (str(tmp_path), port), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
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
