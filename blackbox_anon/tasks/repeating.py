"""Repeat a step's questions where too few were answered."""

from collections.abc import Callable

from torch import Tensor

from blackbox_anon.errors import TooFewPairsError
from blackbox_anon.estimators import AbstractEstimator, BlackBoxProblem, Estimate
from blackbox_anon.tasks.random_state import RandomState


def estimate_again(
    estimator: AbstractEstimator,
    theta: Tensor,
    problem: BlackBoxProblem,
    *,
    attempts: int,
    repeated: Tensor,
    after_each: Callable[[], None],
) -> Estimate | None:
    """Let an estimator ask, and ask the same again where too few pairs were valid.

    Args:
        estimator: Writes no state where it fails.
        theta: Parameters, shape ``(P,)``.
        problem: The batch.
        attempts: How often it is asked at most.
        repeated: Counter of repeats, a scalar; counted up in place.
        after_each: Called after every attempt, whatever came of it.

    Returns:
        The estimate, or ``None`` if the last attempt failed too: the random state is then that of
        before.
    """
    for attempt in range(attempts):
        repeated += attempt > 0
        state = RandomState(theta.device)
        try:
            estimate: Estimate | None = estimator(theta, problem)
        except TooFewPairsError:
            estimate = None
            state.restore()
        after_each()
        if estimate is not None:
            return estimate
    return None
