"""One honest sentence, or two, computed from the numbers."""

from dataclasses import dataclass

from blackbox_anon.report.comparisons import dominated_by, reduction, utility_kept
from blackbox_anon.report.results import MethodResult, Results


@dataclass(frozen=True, kw_only=True)
class Goals:
    """What the run set out to reach; a value not reached is called a miss.

    Attributes:
        utility_kept: Least share of raw utility, such as 0.9.
        reduction: Least share by which AP above chance falls against raw, such as 0.5.
    """

    utility_kept: float | None = None
    reduction: float | None = None


def headline(
    results: Results, *, ours: str = "ours", raw: str = "raw", goals: Goals | None = None
) -> str:
    """Say what was measured for our method; a miss is said in plain words.

    Args:
        results: All methods.
        ours: Name of the method the sentence is about.
        raw: Name of the unprotected reference.
        goals: What had to be reached, if anything was set.

    Returns:
        Plain text of a few sentences.

    Raises:
        ValueError: If ``ours`` or ``raw`` was not evaluated.
    """
    own, reference = _require(results, ours, "ours"), _require(results, raw, "raw")
    utility, privacy = _utility_clause(own, reference), _privacy_clause(own, reference)
    sentences = [
        f"The anonymizer ({ours}) {utility}; {privacy}.",
        *_misses(own, reference, goals or Goals()),
        _standing(results, ours),
    ]
    return " ".join(sentences)


def _require(results: Results, method: str, argument: str) -> MethodResult:
    found = results.find(method)
    if found is None:
        names = [result.method for result in results.results]
        raise ValueError(f"{argument}: expected one of {names}, found {method!r}.")
    return found


def _utility_clause(own: MethodResult, raw: MethodResult) -> str:
    kept, name = utility_kept(own, raw), own.utility.name
    numbers = f"{own.utility.value:.3f} of {raw.utility.value:.3f}"
    return (
        f"has {name} {numbers}" if kept is None else f"keeps {kept:.1%} of raw {name} ({numbers})"
    )


def _privacy_clause(own: MethodResult, raw: MethodResult) -> str:
    fall = reduction(own, raw)
    numbers = f"{raw.privacy.above_chance:+.3f} to {own.privacy.above_chance:+.3f}"
    attacker = "a retrained attacker's AP above chance"
    if fall is None:
        return f"{attacker} goes from {numbers}, and raw itself is no better than chance"
    if fall >= 1:
        return f"{attacker} falls to chance or below ({numbers})"
    return f"{attacker} {'falls' if fall >= 0 else 'rises'} by {abs(fall):.1%} ({numbers})"


def _misses(own: MethodResult, raw: MethodResult, goals: Goals) -> list[str]:
    kept, fall = utility_kept(own, raw), reduction(own, raw)
    misses = []
    if goals.utility_kept is not None and (kept is None or kept < goals.utility_kept):
        misses.append(f"Missed: the goal was to keep at least {goals.utility_kept:.0%} of utility.")
    if goals.reduction is not None and (fall is None or fall < goals.reduction):
        misses.append(f"Missed: the goal was a fall of at least {goals.reduction:.0%}.")
    if fall is not None and fall <= 0 and goals.reduction is None:
        misses.append("Missed: the attacker did not get weaker.")
    return misses


def _standing(results: Results, ours: str) -> str:
    better = dominated_by(results, ours)
    if not better:
        return "No other method is at least as good on both axes."
    verb = "is" if len(better) == 1 else "are"
    return f"Missed: {', '.join(better)} {verb} at least as good on both axes."
