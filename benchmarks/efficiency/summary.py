"""What the runs say: calls to each target, values at equal calls, ratios, a table and a figure."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from benchmarks.efficiency.contenders import LIMIT, OURS

Points = Sequence[Sequence[float]]  # rows of calls per sample, L_AT, L_MLLM, L_privacy

_HELD = 3  # evaluations, each 15 % of the calls so far after the one before
CHANCE = (math.log(10), math.log(2))  # L_MLLM and L_privacy worth nothing: ten classes, raw frames


def calls_to(points: Points, target: float, budget: float) -> float:
    """Calls per sample until L_AT is at ``target`` for the first time; the budget if never.

    Example:
        >>> calls_to([[0, 1.0, 2, 0], [2, 0.5, 1, 0], [4, 0.2, 0.4, 0]], 0.5, budget=8)
        2.0
    """
    return next((float(row[0]) for row in points if row[1] <= target), budget)


def calls_held(points: Points, target: float, budget: float) -> float:
    """Calls per sample until L_AT is at ``target`` and stays there for three evaluations.

    A large rate leaps over a target and leaves it again; that is an arrival, but nothing to use.
    Where a run ends, the evaluations that are left decide.

    Example:
        >>> calls_held([[1, 0.4], [2, 0.9], [4, 0.4], [5, 0.3], [6, 0.4]], 0.5, budget=8)
        4.0
    """
    below = [row[1] <= target for row in points]
    held = (row[0] for i, row in enumerate(points) if all(below[i : i + _HELD]))
    return float(next(held, budget))


def at_calls(points: Points, calls: float) -> Sequence[float]:
    """The last evaluation at no more than ``calls`` calls per sample."""
    return [row for row in points if row[0] <= calls][-1]


def hypervolume(points: Points, reference: tuple[float, float] = CHANCE) -> float:
    """Area that (L_MLLM, L_privacy) of any row dominate, below the reference.

    Example:
        >>> hypervolume([[0, 0, 1.0, 0.0], [0, 0, 0.0, 1.0]], reference=(2.0, 2.0))
        3.0
    """
    front = sorted((row[2], row[3]) for row in points)
    area, ceiling = 0.0, reference[1]
    for first, second in front:
        if first < reference[0] and second < ceiling:
            area += (reference[0] - first) * (ceiling - second)
            ceiling = second
    return area


def summarize(
    runs: Mapping[str, Sequence[Points]],
    targets: Sequence[float],
    *,
    budget: float,
    equal_calls: float,
) -> dict[str, dict[str, object]]:
    """Sum up each contender's runs.

    Args:
        runs: Points of each contender's runs, one per seed.
        targets: Values of L_AT.
        budget: Calls per sample that a run may spend; also counts for one that never arrives.
        equal_calls: Calls per sample at which values are compared.
    """
    return {
        name: {
            "calls_to_targets": [
                median(calls_to(points, target, budget) for points in found) for target in targets
            ],
            "calls_held": [
                median(calls_held(points, target, budget) for points in found) for target in targets
            ],
            "arrived": [
                sum(any(row[1] <= target for row in points) for points in found)
                for target in targets
            ],
            "calls_by_seed": [
                [calls_to(points, target, budget) for target in targets] for points in found
            ],
            "seeds": len(found),
            "at_equal_calls": {
                key: median(at_calls(points, equal_calls)[column] for points in found)
                for column, key in enumerate(("objective", "utility_loss", "privacy_loss"), 1)
            },
            "hypervolume": median(
                hypervolume([row for row in points if row[0] <= equal_calls]) for points in found
            ),
        }
        for name, found in runs.items()
    }


def ratios(
    summary: Mapping[str, Mapping[str, object]], target: int, key: str = "calls_to_targets"
) -> dict[str, float]:
    """Median calls of each contender over ours, at one target, or until it is held."""

    def calls(name: str) -> float:
        found = summary[name][key]
        assert isinstance(found, list)
        return float(found[target])

    return {name: calls(name) / calls(OURS) for name in summary if name != OURS}


def table(report: Mapping[str, object]) -> str:
    """A Markdown table of the report, one row per contender."""
    summary, rates, cosines = report["summary"], report["rates"], report["cosines"]
    targets, equal = report["targets"], report["equal_calls"]
    assert isinstance(summary, dict)
    assert isinstance(rates, dict)
    assert isinstance(cosines, dict)
    assert isinstance(targets, list)
    heads = [f"calls to {target:.3g}" for target in targets]
    heads += [
        f"held at {targets[1]:.3g}",
        f"L_AT at {equal} calls",
        "L_MLLM",
        "L_privacy",
        "hypervolume",
        "cosine, 1 step",
    ]
    lines = [f"| contender | rate | {' | '.join([*heads, 'cosine, mean'])} |"]
    lines.append("|---" * (len(heads) + 3) + "|")
    for name, found in summary.items():
        calls = [
            f"{value:.1f} ({arrived}/{found['seeds']})"
            for value, arrived in zip(found["calls_to_targets"], found["arrived"], strict=True)
        ]
        calls.append(f"{found['calls_held'][1]:.1f}")
        values = [f"{value:.3f}" for value in found["at_equal_calls"].values()]
        one, mean = cosines.get(name, (math.nan, math.nan))
        cells = [*calls, *values, f"{found['hypervolume']:.3f}", f"{one:.3f}", f"{mean:.3f}"]
        lines.append(f"| {name} | {rates[name]:g} | {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(runs: Mapping[str, Sequence[Points]], targets: Sequence[float], path: Path) -> None:
    """Draw L_AT over calls: the runs thin, one colour per contender, targets dashed."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.5))
    for index, (name, found) in enumerate(runs.items()):
        for seed, points in enumerate(found):
            rows = [row for row in points if row[0] > 0]
            axes.plot(
                [row[0] for row in rows],
                [row[1] for row in rows],
                color=f"C{index}",
                linewidth=1,
                linestyle="--" if name == LIMIT else "-",
                label=name if seed == 0 else None,
            )
    for target in targets:
        axes.axhline(target, color="grey", linewidth=0.8, linestyle=":")
    axes.set(xscale="log", xlabel="black-box calls per training clip", ylabel="L_AT, held out")
    axes.legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path, dpi=150)
    plt.close(figure)
