"""Which method is better than which, and by how much."""

from blackbox_anon.report.results import MethodResult, Results


def dominates(first: MethodResult, second: MethodResult) -> bool:
    """Return whether ``first`` is no worse on both sides and better on one.

    Args:
        first: Utility counts upwards, attacker AP above chance downwards.
        second: What it is held against.
    """
    gain = first.utility.value - second.utility.value
    relief = second.privacy.above_chance - first.privacy.above_chance
    return gain >= 0 and relief >= 0 and (gain > 0 or relief > 0)


def dominated_by(results: Results, method: str) -> list[str]:
    """Name the methods that dominate ``method``, best utility first."""
    own = next(result for result in results.results if result.method == method)
    better = [other for other in results.results if dominates(other, own)]
    better.sort(key=lambda result: -result.utility.value)
    return [result.method for result in better]


def better_on_both(results: Results, method: str) -> list[str]:
    """Name the methods strictly better than ``method`` in utility and in privacy."""
    own = next(result for result in results.results if result.method == method)
    return [
        other.method
        for other in results.results
        if other.utility.value > own.utility.value
        and other.privacy.above_chance < own.privacy.above_chance
    ]


def utility_kept(result: MethodResult, raw: MethodResult | None) -> float | None:
    """Return utility as a share of raw utility, None without a positive raw utility."""
    if raw is None or raw.utility.value <= 0:
        return None
    return result.utility.value / raw.utility.value


def reduction(result: MethodResult, raw: MethodResult | None) -> float | None:
    """Return by which share AP above chance falls against raw; negative if it rises.

    None where raw is absent or no better than chance: there is nothing to reduce.
    """
    if raw is None or raw.privacy.above_chance <= 0:
        return None
    return 1 - result.privacy.above_chance / raw.privacy.above_chance
