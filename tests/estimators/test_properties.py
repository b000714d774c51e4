"""What holds for every estimator that asks, whatever its formula."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from blackbox_anon.errors import TooFewPairsError
from blackbox_anon.estimators import (
    SPSA,
    SPSAGC,
    AbstractEstimator,
    ActiveSubspaceSPSA,
    BlackBoxProblem,
    CriticalHistorySPSA,
    SeparableCMAES,
)
from tests import properties
from tests.estimators.cases import CASES, Case, Make, cases, every_case
from tests.estimators.problems import exact_gradient, quadratic_problem
from tests.estimators.small import THETA


@pytest.mark.parametrize(
    "check",
    [
        properties.assert_adds_nothing_to_graph,
        properties.assert_leaves_theta_unchanged,
        properties.assert_continues_identically,
        properties.assert_reset_restarts,
        properties.assert_failed_query_can_be_retried,
        properties.assert_versions_follow_seed_and_step,
    ],
)
@every_case
def test_property(case: Case, check: Callable[[Make, Tensor, BlackBoxProblem], None]) -> None:
    check(case.make, case.theta.clone(), case.pose(3))


@cases(*(name for name in CASES if name not in ("guided", "surrogate")))  # guides say something
def test_a_dead_pair_gives_zero(case: Case) -> None:
    properties.assert_dead_pair_gives_zero(case.make, case.theta.clone(), case.pose(3))


@every_case
def test_the_budget_is_spent_exactly_in_one_call(case: Case) -> None:
    properties.assert_spends_exactly(case.make, case.theta, case.pose(5), queries=5 * case.calls)


@every_case
def test_one_loss_per_sample_is_required(case: Case) -> None:
    estimator, problem = case.make(), replace(case.pose(2), losses=lambda frames: frames.mean())
    message = rf"`problem.losses` must return shape \({2 * case.calls},\); found \(\)"
    with pytest.raises(ValueError, match=message):
        estimator(case.theta, problem)
    assert estimator.step == 0


@every_case
def test_a_loss_that_is_no_number_is_refused(case: Case) -> None:
    def losses(frames: Tensor) -> Tensor:
        return frames.new_full((len(frames),), torch.inf)

    estimator = case.make()
    with pytest.raises(ValueError, match=r"`problem\.losses` must be finite; found"):
        estimator(case.theta, replace(case.pose(2), losses=losses))
    assert estimator.step == 0


@every_case
def test_a_batch_without_answers_is_refused(case: Case) -> None:
    def losses(frames: Tensor) -> Tensor:
        return frames.new_full((len(frames),), torch.nan)

    estimator = case.make()
    with pytest.raises(TooFewPairsError):
        estimator(case.theta, replace(case.pose(2), losses=losses))
    assert estimator.step == 0


@cases("critical", "gc", "evolution", "active", "output-history", "active-history")
def test_buffers_keep_their_size(case: Case) -> None:
    size, estimator = len(case.theta), case.make()
    estimator.allocate(size)
    for number in (size - 1, size + 1):
        with pytest.raises(ValueError, match=f"`num_parameters` must stay {size}; found {number}"):
            estimator.allocate(number)


@pytest.mark.parametrize("fresh", [CriticalHistorySPSA, SPSAGC, SeparableCMAES, ActiveSubspaceSPSA])
def test_nothing_is_asked_before_buffers_have_a_size(
    fresh: Callable[[], AbstractEstimator],
) -> None:
    problem, _, sizes = properties.recording(quadratic_problem())
    with pytest.raises(ValueError, match="call `allocate"):
        fresh()(THETA, problem)
    assert sizes == []


def test_who_keeps_nothing_takes_any_size() -> None:
    SPSA().allocate(3)
    SPSA().allocate(4)


@cases("spsa", "gc", "policy", "sample")
def test_descent_arrives(case: Case) -> None:
    """The evolution strategy, whose step is its own, is held against pycma's elsewhere."""
    problem, theta, estimator = case.pose(4), case.theta.clone(), case.make()
    for _ in range(400):
        theta = theta - 2e-3 * estimator(theta, problem).gradient
    start, end = (exact_gradient(problem, at).norm() for at in (case.theta, theta))
    assert end < 0.2 * start
