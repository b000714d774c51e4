"""SIGKILL at random instants, the same command again: the weights of the uninterrupted run."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.checkpoints.billed import billed

IN_FLIGHT = 4  # questions of one call: two clips, plus and minus
ROOT = Path(__file__).parents[2]


def killed_runs(name: str, folder: Path, *, seed: int, kills: int) -> list[Path]:
    """The folders of the runs that were killed; ``folder/whole`` is the one that was not."""
    command = [sys.executable, "-m", "tests.checkpoints.zygote", name, folder, seed, kills]
    done = subprocess.run(
        [str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    logs = "".join(path.read_text()[-3000:] for path in sorted(folder.glob("*/log.txt")))
    assert done.returncode == 0, done.stderr + logs
    assert int(done.stdout) >= kills
    return sorted(folder.glob("killed*"))


def final_walk(folder: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(folder / "final.pt", weights_only=True)
    return state


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_at_any_instant_a_run_ends_the_same(kills: int, tmp_path: Path) -> None:
    runs = killed_runs("walk", tmp_path, seed=kills, kills=kills)
    whole, history = final_walk(tmp_path / "whole"), "run/version_0/history.jsonl"
    for run in runs:
        assert final_walk(run).keys() == whole.keys()
        assert all(torch.equal(whole[name], value) for name, value in final_walk(run).items())
        assert (run / history).read_bytes() == (tmp_path / "whole" / history).read_bytes()
        assert [path.name for path in (run / "run").iterdir()].count("version_1") == 0


@pytest.mark.slow
@pytest.mark.parametrize("kills", [2, 20])
def test_the_killed_command_pays_for_nothing_twice(kills: int, tmp_path: Path) -> None:
    runs = killed_runs("fit", tmp_path, seed=kills, kills=kills)
    logs, whole = "runs/killed/version_0", tmp_path / "whole"
    needed = billed(whole / "bill.txt")
    assert len(set(needed)) == len(needed)
    card = (whole / logs / "anonymizer" / "card.json").read_text()
    twice = 0
    for run in runs:
        paid = billed(run / "bill.txt")
        assert set(paid) == set(needed)  # what is asked again is asked byte for byte
        twice += len(paid) - len(needed)
        # the weights' sha256 is on the card
        assert (run / logs / "anonymizer" / "card.json").read_text() == card
    assert twice <= kills * IN_FLIGHT
