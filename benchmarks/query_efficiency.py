"""How many black-box calls does each estimator need to reach the same value of L_AT?

``python benchmarks/query_efficiency.py --jobs 2`` runs every estimator on the embedded world: the
same start, the same objective with a fixed ideal point (``efficiency/course.py``), the same clips
per seed, and a learning rate found by the same search on seeds of its own: every rate on an eighth
of the budget, the better half on a half. The best rate is the one that is compared best: with the
fewest calls to the middle target, and of those that do not get there the lowest in the end.

L_AT is evaluated without noise on held-out clips; a run that never reaches a target counts with the
whole budget. Bars, in median calls to the middle target: ours at most a third of the paper's method
and a tenth of SPSA.

Every run is kept in ``--out``; the same command goes on where it was stopped.
"""

import argparse
import json
import multiprocessing
import platform
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from benchmarks.efficiency.contenders import OURS, PAPER, SPSA_NAME, contenders
from benchmarks.efficiency.cosines import cosines
from benchmarks.efficiency.course import Course, Settings
from benchmarks.efficiency.run import Job, load, run, save
from benchmarks.efficiency.summary import at_calls, calls_to, draw, ratios, summarize, table
from blackbox_anon.allocator import keep_memory
from blackbox_anon.mllms import HuggingFaceMLLM

SEARCH_SEEDS = (101, 102)  # no seed of the comparison
BARS = {PAPER: 3.0, SPSA_NAME: 10.0}

_course: Course | None = None  # one per worker process


class Runner:
    """Makes runs in worker processes, or finds them made.

    Args:
        settings: Of the course.
        out: Folder of the start, the runs and the report.
        jobs: Worker processes, one thread each; 1 works in this one.
    """

    def __init__(self, settings: Settings, out: Path, jobs: int) -> None:
        self.settings, self.out, self.jobs = settings, out, jobs
        keep_memory()
        torch.set_num_threads(1)
        self.course = Course(settings, out / "start.pt")  # before the workers, who read its start

    def __call__(self, wanted: Iterable[Job]) -> dict[Job, dict[str, Any]]:
        """Return the result of every job."""
        plain, folder = self.settings.plain(), self.out / "runs"
        wanted = list(wanted)
        found = {job: load(job, plain, folder) for job in wanted}
        missing = [job for job, result in found.items() if result is None]
        for job, result in self._make(missing):
            save(result, job, folder)
            found[job] = result
            _say(job, result)
        return {job: result for job, result in found.items() if result is not None}

    def _make(self, missing: Sequence[Job]) -> Iterable[tuple[Job, dict[str, Any]]]:
        if self.jobs == 1 or len(missing) < 2:
            for job in missing:
                yield job, run(job, self.course)
            return
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(
            self.jobs, context, _prepare, (self.settings, self.out / "start.pt")
        ) as pool:
            waiting = {pool.submit(_run, job): job for job in missing}
            for future in as_completed(waiting):
                yield waiting[future], future.result()


def _prepare(settings: Settings, cache: Path) -> None:
    global _course
    keep_memory()
    torch.set_num_threads(1)
    _course = Course(settings, cache)


def _run(job: Job) -> dict[str, Any]:
    assert _course is not None
    return run(job, _course)


def best_rates(
    runner: Runner, names: Sequence[str], rates: Sequence[float], budget: float, target: float
) -> dict[str, float]:
    """Find each contender's learning rate: all rates briefly, the better half at length.

    Args:
        runner: Makes the runs.
        names: Contenders.
        rates: To choose from.
        budget: Of the comparison, in calls per sample.
        target: L_AT to reach.
    """
    brief = {(n, r): Job(contender=n, rate=r, seed=SEARCH_SEEDS[0], budget=budget / 8)
             for n in names for r in rates}  # fmt: skip
    found = runner(brief.values())
    kept = {
        name: sorted(rates, key=lambda rate: standing([found[brief[name, rate]]], target))[
            : -(-len(rates) // 2)
        ]
        for name in names
    }
    long = {
        (name, rate): [
            Job(contender=name, rate=rate, seed=seed, budget=budget / 2) for seed in SEARCH_SEEDS
        ]
        for name in names
        for rate in kept[name]
    }
    found = runner(job for jobs in long.values() for job in jobs)
    return {
        name: min(
            kept[name], key=lambda rate: standing([found[j] for j in long[name, rate]], target)
        )
        for name in names
    }


def standing(results: Sequence[dict[str, Any]], target: float) -> tuple[float, float]:
    """Return how far up runs of one rate stand, lower is better.

    Args:
        results: Runs of one rate on different seeds.
        target: L_AT to reach.

    Returns:
        Mean calls to the target, a run that never reaches it counting with the whole budget; and
        the mean of L_AT over the last quarter of the runs' evaluations.
    """
    calls = [calls_to(result["points"], target, result["job"]["budget"]) for result in results]
    return mean(calls), mean(_level(result) for result in results)


def _level(result: dict[str, Any]) -> float:
    values: list[float] = [row[1] for row in result["points"]]
    return mean(values[-max(1, len(values) // 4) :])


def measure(runner: Runner, args: argparse.Namespace) -> dict[str, Any]:
    """Search, compare, and return the report."""
    start = runner.course.evaluate(runner.course.start)
    targets = [share * start[0] for share in args.targets]
    rates = best_rates(runner, args.estimators, args.rates, args.budget, targets[1])
    jobs = {
        name: [
            Job(
                contender=name,
                rate=rates[name],
                seed=seed,
                budget=args.budget,
                stop_below=targets[-1],
                stop_after=args.equal_calls,
            )
            for seed in args.seeds
        ]
        for name in args.estimators
    }
    found = runner(job for several in jobs.values() for job in several)
    points = {name: [found[job]["points"] for job in several] for name, several in jobs.items()}
    summary = summarize(points, targets, budget=args.budget, equal_calls=args.equal_calls)
    draw(points, targets, runner.out / "query_efficiency.png")
    return {
        "start": dict(zip(("objective", "utility_loss", "privacy_loss"), start, strict=True)),
        "targets": targets,
        "budget": args.budget,
        "equal_calls": args.equal_calls,
        "seeds": args.seeds,
        "rates": rates,
        "summary": summary,
        "ratios_to_ours": ratios(summary, 1) if OURS in summary else {},
        "ratios_to_ours_held": ratios(summary, 1, "calls_held") if OURS in summary else {},
        "cosines": cosines(
            runner.course, args.estimators, steps=args.cosine_steps, seed=args.seeds[0]
        ),
        "settings": runner.settings.plain(),
        "seconds_of_runs": sum(
            found[job]["seconds"] for several in jobs.values() for job in several
        ),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }


def _say(job: Job, result: dict[str, Any]) -> None:
    last = at_calls(result["points"], float("inf"))
    print(
        f"{job.contender:18} rate {job.rate:<6g} seed {job.seed:<4} {last[0]:6.1f} calls a clip: "
        f"L_AT {last[1]:.3f} = utility {last[2]:.3f}, privacy {last[3]:.3f}; "
        f"{result['seconds']:.0f} s",
        flush=True,
    )


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    known = list(contenders(HuggingFaceMLLM("peopleworld")))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--estimators", nargs="+", choices=known, default=known, metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--rates", nargs="+", type=float, default=[0.1, 0.3, 1.0, 3.0])
    parser.add_argument("--budget", type=float, default=64, help="calls per training clip")
    parser.add_argument("--equal-calls", type=float, default=8, help="where values are compared")
    parser.add_argument(
        "--targets", nargs=3, type=float, default=[0.5, 0.3, 0.2], help="shares of the start's L_AT"
    )
    parser.add_argument("--train-clips", type=int, default=Settings.train_clips)
    parser.add_argument("--held-out", type=int, default=Settings.held_out)
    parser.add_argument("--start-loss", type=float, default=Settings.start_loss)
    parser.add_argument("--start-steps", type=int, default=Settings.start_steps)
    parser.add_argument("--cosine-steps", type=int, default=16)
    parser.add_argument("--jobs", type=int, default=1, help="processes, one thread each")
    parser.add_argument("--out", type=Path, default=Path("runs/query_efficiency"))
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    args = _parse(arguments)
    settings = replace(
        Settings(),
        train_clips=args.train_clips,
        held_out=args.held_out,
        start_loss=args.start_loss,
        start_steps=args.start_steps,
    )
    report = measure(Runner(settings, args.out, args.jobs), args)
    text = json.dumps(report, indent=2) + "\n"
    (args.out / "query_efficiency.json").write_text(text, encoding="utf-8")
    print(table(report))
    for name, ratio in report["ratios_to_ours"].items():
        bar = f" (bar: {BARS[name]:g})" if name in BARS else ""
        held = report["ratios_to_ours_held"][name]
        print(
            f"{name} / {OURS}, calls to the middle target: {ratio:.2f}{bar}; "
            f"until it is held for three evaluations: {held:.2f}"
        )
    return report


if __name__ == "__main__":
    main(sys.argv[1:])
