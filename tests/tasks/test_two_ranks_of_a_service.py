"""Two processes of ``fit`` against one server: each call once, and one cap for both."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from blackbox_anon.ledger import read_summary
from tests.server.separate import Separate, served

ROOT = Path(__file__).parents[2]
CONFIGS = (ROOT / "configs" / "demo_service.yaml", Path(__file__).with_name("two_ranks.yaml"))
BUDGETED = "--model.init_args.mllm" + 2 * ".init_args.mllm" + ".init_args"
STEP = 2 * 2 * 2 * 2  # processes, clips, directions, plus and minus
NEEDED = 2 * (2 * STEP + 4)  # two epochs of two steps and a validation
PATIENCE_S = 3600  # only a process that hangs waits as long
RUN = "runs/demo_service"


def command(service: Separate, *more: str) -> list[str]:
    configs = [f"--config={path}" for path in CONFIGS]
    address = f"{BUDGETED}.mllm.init_args.base_url={service.base_url}"
    return [sys.executable, "-m", "blackbox_anon", "fit", *configs, address, *more]


def fit(folder: Path, service: Separate, *more: str) -> tuple[int, str]:
    """Run the command, which launches the second process; return its code and what was shown."""
    done = subprocess.run(
        command(service, *more),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return done.returncode, done.stderr


def fit_as_ranks(folder: Path, service: Separate, *more: str) -> list[tuple[int, str]]:
    """Start both processes here, as a cluster does, to see how each ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    ranks = [
        subprocess.Popen(
            command(service, *more),
            cwd=folder,
            env=os.environ | shared | {"NODE_RANK": "0", "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        for rank in range(2)
    ]
    shown = [rank.communicate(timeout=PATIENCE_S)[1] for rank in ranks]
    return [(rank.returncode, text) for rank, text in zip(ranks, shown, strict=True)]


def weights(folder: Path) -> bytes:
    return (folder / RUN / "version_0" / "anonymizer" / "anonymizer.safetensors").read_bytes()


def attempts(folder: Path) -> int:
    return read_summary(folder / RUN / "ledger.db").attempts()


def new(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.mark.slow
def test_two_processes_ask_once_and_stop_at_one_cap(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        whole = new(tmp_path / "whole")
        code, shown = fit(whole, service)
        assert code == 0, shown
        assert len(service.paid()) == len(set(service.paid())) == NEEDED
        assert attempts(whole) == NEEDED
        assert_counted(whole)

        for name, cap, steps in (("in a step", 2 * STEP + 4 + 9, 2), ("in validation", 34, 0)):
            asked = len(service.paid())
            folder = new(tmp_path / name)
            code, shown = fit(folder, service, f"{BUDGETED}.max_queries={cap}")
            assert code == 3, shown
            assert "cap of queries is reached" in shown
            assert attempts(folder) == len(service.paid()) - asked == cap
            saved = [path.name for path in (folder / RUN / "resume").glob("*/*.ckpt")]
            assert saved == [f"resume-step={steps:08d}.ckpt"] * (steps > 0)
            assert ("The run is saved" in shown) == (steps > 0)
            code, shown = fit(folder, service, f"{BUDGETED}.max_queries={NEEDED}")
            assert code == 0, shown
            assert attempts(folder) == len(service.paid()) - asked == NEEDED
            assert weights(folder) == weights(whole)


@pytest.mark.slow
def test_each_process_ends_with_the_code_of_a_reached_cap(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        ended = fit_as_ranks(new(tmp_path / "run"), service, f"{BUDGETED}.max_queries={STEP + 3}")
        assert [code for code, _ in ended] == [3, 3], ended
        said = [text.splitlines()[-1] for _, text in ended]
        assert all(line.startswith("blackbox-anon: ") for line in said), said
        assert any("cap of queries is reached" in line for line in said), said
        assert len(service.paid()) == STEP + 3


def assert_counted(run: Path) -> None:
    """The run's own counts of queries are those of both processes."""
    [path] = (run / RUN / "version_0" / "checkpoints").glob("*.ckpt")
    state = torch.load(path, weights_only=True)["state_dict"]
    assert state["queries"] == 4 * STEP
    assert state["queries"] + state["evaluation_queries"] == NEEDED
