"""SIGKILL at random instants of a run that asks a service over HTTP: same weights, same bill."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from blackbox_anon.ledger import read_summary
from tests.checkpoints.fates import PARSING, PHASES
from tests.checkpoints.paid_zygote import Attempt
from tests.server.separate import Separate, served

AT_ONCE = 4  # questions of one step: two clips, plus and minus
NEEDED = 4 * AT_ONCE + 2 * 2  # four steps, two validations of two clips
ROOT = Path(__file__).parents[2]
RUN = "runs/demo_service"


def attempts(folder: Path, service: Separate, *, seed: int, kills: int) -> list[Attempt]:
    """What came of every process that was given the command."""
    module = "tests.checkpoints.paid_zygote"
    command = [sys.executable, "-m", module, folder, seed, kills, service.base_url, service.journal]
    done = subprocess.run(
        [str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    logs = "".join(path.read_text()[-3000:] for path in sorted(folder.glob("*/log.txt")))
    assert done.returncode == 0, done.stderr[-3000:] + logs
    return [Attempt(**json.loads(line)) for line in done.stdout.splitlines() if line[:1] == "{"]


def checkpoint(run: Path) -> dict[str, Any]:
    """What a run ended with."""
    [path] = (run / RUN / "version_0" / "checkpoints").glob("*.ckpt")
    loaded: dict[str, Any] = torch.load(path, weights_only=True)
    return loaded


@pytest.mark.slow
@pytest.mark.parametrize("kills", [5, 50])
def test_killed_at_any_instant_it_ends_the_same_and_pays_the_same(
    kills: int, tmp_path: Path
) -> None:
    with served(tmp_path) as service:
        made = attempts(tmp_path, service, seed=kills, kills=kills)
    print(assert_paid_once(tmp_path, made, kills))  # noqa: T201  # the figures, for pytest -s


def assert_paid_once(folder: Path, made: list[Attempt], kills: int) -> str:
    """Check weights and bills of all runs; return what to report."""
    died = Counter(attempt.died for attempt in made if attempt.died)
    assert died.total() == kills
    if kills >= 50:
        assert died.keys() >= {PARSING, *PHASES}
    by_run: dict[str, list[Attempt]] = {}
    for attempt in made:
        by_run.setdefault(attempt.folder, []).append(attempt)
    [whole] = by_run.pop(str(folder / "whole"))
    assert len(whole.paid) == len(set(whole.paid)) == NEEDED
    twice = 0
    for run, lives in by_run.items():
        assert_same_end(folder / "whole", Path(run))
        twice += paid_twice(lives, needed=set(whole.paid), ledger=Path(run) / RUN)
    return f"{dict(died)} in {len(by_run)} runs; paid twice: {twice} of {NEEDED * len(by_run)}"


def assert_same_end(whole: Path, run: Path) -> None:
    """Weights, optimizers and logs, bit for bit."""
    ours, theirs = checkpoint(run), checkpoint(whole)
    assert ours["state_dict"].keys() == theirs["state_dict"].keys()
    for name, tensor in theirs["state_dict"].items():
        assert torch.equal(tensor, ours["state_dict"][name]), name
    found, expected = (base / RUN / "version_0" for base in (run, whole))
    for name in ("anonymizer/card.json", "anonymizer/anonymizer.safetensors"):
        assert (found / name).read_bytes() == (expected / name).read_bytes(), name
    assert history(found) == history(expected)
    assert not (run / RUN / "version_1").exists()


def history(logs: Path) -> list[dict[str, float]]:
    """What a run wrote down of its steps, but for what they cost: the lost calls count there."""
    rows = [json.loads(line) for line in (logs / "history.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if not k.startswith("mllm/")} for row in rows]


def paid_twice(lives: list[Attempt], *, needed: set[str], ledger: Path) -> int:
    """Check one run's bill; return how often something was paid for again."""
    paid = [body for life in lives for body in life.paid]
    assert set(paid) == needed  # what is asked again is asked byte for byte
    kept = 0
    for life in lives:
        lost = len(life.paid) - (life.kept - kept)  # billed, but in flight when the process died
        assert 0 <= lost <= (AT_ONCE if life.died else 0)
        kept = life.kept
    assert kept == len(needed)
    summary = read_summary(ledger / "ledger.db")
    assert kept <= summary.attempts("paid") <= len(paid)  # in the ledger before it is in the cache
    assert len(paid) <= summary.attempts() <= len(paid) + AT_ONCE * (len(lives) - 1)
    return len(paid) - len(needed)
