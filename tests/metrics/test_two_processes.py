"""Two processes with uneven shares report what one process would."""

from pathlib import Path

import torch
from torch import distributed
from torch.multiprocessing.spawn import spawn

from blackbox_anon.metrics import ClassMeanAveragePrecision, ClassMeanPrecision
from tests.metrics.test_average_precision import random_case

CASE = 8


def share(rank: int, folder: str) -> None:
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2
    )
    scores, targets = random_case(CASE)
    mine = slice(0, 5) if rank == 0 else slice(5, None)
    cmap, precision = ClassMeanAveragePrecision(5), ClassMeanPrecision(5)
    for metric in (cmap, precision):
        metric.update(scores[mine], targets[mine])
    found = [cmap.compute(), cmap.per_attribute(), cmap.chance()]
    found += [precision.compute(), precision.per_attribute()]
    torch.save(found, Path(folder) / f"{rank}.pt")
    distributed.destroy_process_group()


def test_two_uneven_processes_agree_with_one(tmp_path: Path) -> None:
    spawn(share, (str(tmp_path),), nprocs=2)
    scores, targets = random_case(CASE)
    cmap, precision = ClassMeanAveragePrecision(5), ClassMeanPrecision(5)
    cmap.update(scores, targets)
    precision.update(scores, targets)
    expected = [cmap.compute(), cmap.per_attribute(), cmap.chance()]
    expected += [precision.compute(), precision.per_attribute()]
    for rank in range(2):
        found = torch.load(tmp_path / f"{rank}.pt")
        torch.testing.assert_close(found, expected, equal_nan=True)
