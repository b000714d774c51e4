"""What an evaluation found, as dataclasses and as ``results.json``."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from blackbox_anon.report.files import atomic_path


@dataclass(frozen=True, kw_only=True)
class Utility:
    """How well the MLLM still does its task; higher is better.

    Attributes:
        name: Name of the measure, such as ``Top-1``.
        value: The measure.
        ci95: Lower and upper bound of its 95 % interval.
    """

    name: str
    value: float
    ci95: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class AttributeScore:
    """How well a retrained attacker recognises one attribute; lower is more private.

    Attributes:
        ap: Average precision, None where the attribute never occurs.
        precision: Precision at the threshold, None where the attribute is never predicted.
        chance: The attribute's prevalence, which is the average precision of guessing.
    """

    ap: float | None
    precision: float | None
    chance: float


@dataclass(frozen=True, kw_only=True)
class Privacy:
    """How well a retrained attacker does; lower is more private.

    Attributes:
        cmap_ap: Mean average precision over the attributes that occur.
        cmap_precision: Mean thresholded precision; never compared with ``cmap_ap``.
        chance_ap: Mean prevalence over the same attributes as ``cmap_ap``.
        per_attribute: One entry per attribute id.
    """

    cmap_ap: float
    cmap_precision: float
    chance_ap: float
    per_attribute: dict[str, AttributeScore]

    @property
    def above_chance(self) -> float:
        """What the attacker learned: average precision minus that of guessing."""
        return self.cmap_ap - self.chance_ap


@dataclass(frozen=True, kw_only=True)
class MethodResult:
    """One method's two sides and its cost.

    Attributes:
        method: Unique name, such as ``raw``, ``blur`` or ``ours``.
        utility: The task side.
        privacy: The attacker side.
        mllm_queries: Queries spent on training the method; 0 for fixed ones.
        seconds: Wall time of training and evaluating it.
        mllm_failures: Failed calls of the evaluation by kind; they are not in ``utility``.
    """

    method: str
    utility: Utility
    privacy: Privacy
    mllm_queries: int
    seconds: float
    mllm_failures: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Results:
    """Everything in ``results.json``.

    Attributes:
        results: One entry per method, in the order they are shown.
        config: The resolved configuration of the run.
        seed: Its seed.
        versions: Package name to version.
    """

    results: list[MethodResult]
    config: dict[str, Any]
    seed: int
    versions: dict[str, str]

    def __post_init__(self) -> None:
        names = [result.method for result in self.results]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"results: expected at least one, unique method names, found {names}.")
        measures = {result.utility.name for result in self.results}
        if len(measures) > 1:
            raise ValueError(f"results: expected one utility name, found {sorted(measures)}.")

    def find(self, method: str) -> MethodResult | None:
        """Return one method's result, or None if it was not evaluated."""
        return next((result for result in self.results if result.method == method), None)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as they are written to JSON."""
        whole = asdict(self)
        for entry in whole["results"]:  # said where there is something to say
            if not entry["mllm_failures"]:
                del entry["mllm_failures"]
        return whole

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Results":
        """Read plain values back; raises ``KeyError`` or ``TypeError`` on a wrong key."""
        entries = [_method_result(entry) for entry in values["results"]]
        return cls(**{**values, "results": entries})


def write_results(results: Results, path: Path) -> None:
    """Write ``results.json`` in one step: a reader sees the old file or the whole new one.

    Args:
        results: What to write.
        path: Where; its folder must exist.

    Raises:
        ValueError: If a number is NaN or infinite, which JSON cannot hold.
    """
    text = json.dumps(results.to_dict(), indent=2, allow_nan=False)
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_results(path: Path) -> Results:
    """Read what :func:`write_results` wrote."""
    return Results.from_dict(json.loads(path.read_text(encoding="utf-8")))


def _method_result(entry: Mapping[str, Any]) -> MethodResult:
    """Build one entry from plain values."""
    utility, privacy = entry["utility"], entry["privacy"]
    per_attribute = {k: AttributeScore(**v) for k, v in privacy["per_attribute"].items()}
    return MethodResult(
        **{
            **entry,
            "utility": Utility(**{**utility, "ci95": tuple(utility["ci95"])}),
            "privacy": Privacy(**{**privacy, "per_attribute": per_attribute}),
        }
    )
