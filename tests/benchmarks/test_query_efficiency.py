import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import query_efficiency
from benchmarks.efficiency.run import Job, RunningNorm, load, save
from benchmarks.efficiency.summary import (
    at_calls,
    calls_held,
    calls_to,
    hypervolume,
    ratios,
    summarize,
)
from benchmarks.query_efficiency import standing

FAST = [[0.0, 1.0, 2.0, 0.5], [1.0, 0.6, 1.2, 0.5], [2.0, 0.3, 0.6, 0.4]]
SLOW = [[0.0, 1.0, 2.0, 0.5], [4.0, 0.9, 1.8, 0.5], [8.0, 0.7, 1.4, 0.5]]


def test_calls_to_a_target() -> None:
    assert calls_to(FAST, 0.6, 8) == 1
    assert calls_to(FAST, 0.5, 8) == 2
    assert calls_to(SLOW, 0.5, 8) == 8, "never there: the whole budget"
    assert at_calls(SLOW, 7.9) == SLOW[1]


def test_a_leap_over_a_target_does_not_hold_it() -> None:
    leaps = [[float(calls), value] for calls, value in enumerate((1, 0.2, 0.9, 0.4, 0.5, 0.3, 0.9))]
    assert calls_to(leaps, 0.5, 8) == 1
    assert calls_held(leaps, 0.5, 8) == 3
    assert calls_held(leaps, 0.4, 8) == 8, "never for three evaluations: the whole budget"
    assert calls_held(leaps[:6], 0.35, 8) == 5, "the run ended there"


def test_hypervolume_is_the_share_of_a_grid() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = [[0.0, 0.0, *point] for point in torch.rand(6, 2, generator=generator).tolist()]
    grid = (torch.cartesian_prod(torch.arange(400), torch.arange(400)) + 0.5) / 400
    covered = torch.zeros(len(grid), dtype=torch.bool)
    for row in rows:
        covered |= (grid[:, 0] >= row[2]) & (grid[:, 1] >= row[3])
    assert hypervolume(rows, (1.0, 1.0)) == pytest.approx(covered.double().mean().item(), abs=5e-3)
    assert hypervolume([[0.0, 0.0, 3.0, 0.1]], (1.0, 1.0)) == 0


def test_summary_and_ratios() -> None:
    found = summarize(
        {"ours": [FAST, FAST, SLOW], "paper": [SLOW, SLOW, SLOW]},
        [0.8, 0.6, 0.4],
        budget=16,
        equal_calls=4,
    )
    assert found["ours"]["calls_to_targets"] == [1, 1, 2]
    assert found["paper"]["calls_to_targets"] == [8, 16, 16]
    assert found["ours"]["calls_held"] == [1, 1, 2]
    assert found["paper"]["calls_held"] == [8, 16, 16]
    assert found["paper"]["arrived"] == [3, 0, 0]
    assert found["ours"]["at_equal_calls"] == {
        "objective": 0.3,
        "utility_loss": 0.6,
        "privacy_loss": 0.4,
    }
    assert ratios(found, 1) == ratios(found, 1, "calls_held") == {"paper": 16.0}


def test_running_norm_scales_to_unit_length() -> None:
    scale, generator = RunningNorm(), torch.Generator().manual_seed(0)
    first = torch.randn(50, generator=generator)
    torch.testing.assert_close(scale(first).norm(), torch.tensor(1.0))
    torch.testing.assert_close(scale(first).norm(), torch.tensor(1.0))
    assert not scale(torch.zeros(50)).any()
    torch.testing.assert_close(scale(first).norm(), torch.tensor(1.0))
    assert scale(3 * first).norm() > 1


def test_runs_are_kept_by_what_decides_them(tmp_path: Path) -> None:
    job = Job(contender="white box", rate=0.1, seed=3, budget=8)
    settings: dict[str, object] = {"train_clips": 64}
    assert load(job, settings, tmp_path) is None
    result = {"job": job.__dict__, "settings": settings, "points": FAST, "seconds": 1.0}
    save(result, job, tmp_path)
    assert load(job, settings, tmp_path) == result
    assert load(job, {"train_clips": 65}, tmp_path) is None
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]


@pytest.mark.slow
def test_a_small_race_runs_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--out", str(tmp_path), "--estimators", "ours", "paper", "--seeds", "1"]
    arguments += ["--rates", "0.1", "--budget", "2", "--equal-calls", "1", "--train-clips", "8"]
    arguments += ["--held-out", "4", "--start-steps", "2", "--cosine-steps", "2"]
    report = query_efficiency.main(arguments)
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()}
    assert query_efficiency.main(arguments)["summary"] == report["summary"]
    assert made == {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()}
    assert json.loads((tmp_path / "query_efficiency.json").read_text()) == report
    assert (tmp_path / "query_efficiency.png").stat().st_size > 0
    assert all(math.isfinite(value) for pair in report["cosines"].values() for value in pair)
    assert "paper / ours" in capsys.readouterr().out


def test_a_rate_stands_by_its_calls_to_the_target_and_then_by_its_end() -> None:
    def ran(*values: float) -> dict[str, Any]:
        points = [[float(calls), value, 0.0, 0.0] for calls, value in enumerate(values)]
        return {"points": points, "job": {"budget": 8.0}}

    soon, late = ran(1.0, 0.2, 0.9, 0.9), ran(1.0, 0.9, 0.9, 0.1)
    never, lower = ran(1.0, 0.9, 0.9, 0.9), ran(1.0, 0.8, 0.7, 0.6)
    ranked = sorted([never, lower, late, soon], key=lambda run: standing([run], 0.3))
    assert ranked == [soon, late, lower, never]
    assert standing([soon, never], 0.3) == ((1 + 8) / 2, 0.9)
