"""Run a function on two processes of one machine."""

import faulthandler
import os
import socket
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.multiprocessing.spawn import spawn

RANKS = 2


def on_two_ranks(run: Callable[[int, Path], Any], folder: Path) -> list[Any]:
    """Return what each rank found; it is written to ``folder``, which both may use.

    Args:
        run: Gets its rank and the folder; a function of a module, as it is sent to new processes.
        folder: One that exists.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    spawn(_rank, (run, str(folder), port), nprocs=RANKS)
    return [torch.load(folder / f"{rank}.pt") for rank in range(RANKS)]


def _rank(rank: int, run: Callable[[int, Path], Any], folder: str, port: int) -> None:
    os.environ |= {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(RANKS),
        "NODE_RANK": "0",
        "LOCAL_RANK": str(rank),
        "OMP_NUM_THREADS": "1",
    }
    torch.set_num_threads(1)
    faulthandler.dump_traceback_later(900, exit=True)  # a rank that waits for the other says where
    warnings.simplefilter("ignore")  # they are errors in the one-process tests
    torch.save(run(rank, Path(folder)), Path(folder) / f"{rank}.pt")
