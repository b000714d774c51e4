from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from blackbox_anon.estimators import (
    SPSA,
    AbstractEstimator,
    BlackBoxProblem,
    CriticalHistorySPSA,
)
from tests import properties
from tests.estimators.problems import quadratic_problem
from tests.estimators.small import THETA, make_critical, make_spsa

MakeSeeded = Callable[[int], AbstractEstimator]


@pytest.fixture(
    params=[
        lambda seed=0: make_spsa(seed),
        lambda seed=0: make_spsa(seed, num_directions=3),
        lambda seed=0: make_critical(seed),
        lambda seed=0: make_critical(seed, num_directions=3),
    ],
    ids=["spsa", "spsa-3", "critical", "critical-3"],
)
def make(request: pytest.FixtureRequest) -> Callable[..., AbstractEstimator]:
    factory: Callable[..., AbstractEstimator] = request.param
    return factory


@pytest.mark.parametrize(
    "check",
    [
        properties.assert_adds_nothing_to_graph,
        properties.assert_leaves_theta_unchanged,
        properties.assert_continues_identically,
        properties.assert_reset_restarts,
        properties.assert_dead_pair_gives_zero,
        properties.assert_failed_query_can_be_retried,
    ],
)
def test_property(
    make: Callable[..., AbstractEstimator],
    check: Callable[[Callable[..., AbstractEstimator], Tensor, BlackBoxProblem], None],
) -> None:
    check(make, THETA.clone(), quadratic_problem())


def test_directions_follow_seed_and_step(make: MakeSeeded) -> None:
    properties.assert_directions_follow_seed_and_step(make, THETA, quadratic_problem())


@pytest.mark.parametrize("num_directions", [1, 3])
@pytest.mark.parametrize("factory", [make_spsa, make_critical])
def test_queries(factory: Callable[..., AbstractEstimator], num_directions: int) -> None:
    properties.assert_spends_exactly(
        lambda: factory(num_directions=num_directions),
        THETA,
        quadratic_problem(batch_size=5),
        queries=2 * 5 * num_directions,
    )


def test_refuses_losses_of_another_shape() -> None:
    problem = replace(quadratic_problem(), losses=lambda frames: frames.mean())
    with pytest.raises(ValueError, match=r"`problem.losses` must return shape \(8,\); found \(\)"):
        make_spsa()(THETA, problem)


def test_refuses_losses_that_are_not_finite() -> None:
    problem = replace(quadratic_problem(), losses=lambda frames: frames.new_full((8,), torch.inf))
    estimator = make_critical()
    with pytest.raises(ValueError, match=r"`problem\.losses` must be finite; found means"):
        estimator(THETA, problem)
    assert estimator.step == 0


def test_critical_must_be_allocated_first() -> None:
    problem, _, sizes = properties.recording(quadratic_problem())
    with pytest.raises(ValueError, match="call `allocate"):
        CriticalHistorySPSA()(THETA, problem)
    assert sizes == []


def test_allocate_is_harmless_for_others_and_refuses_another_size() -> None:
    SPSA().allocate(3)
    with pytest.raises(ValueError, match="`num_parameters` must stay 6; found 7"):
        make_critical().allocate(7)


@pytest.mark.parametrize("cls", [SPSA, CriticalHistorySPSA])
@pytest.mark.parametrize(
    ("argument", "value"),
    [("radius", 0.0), ("radius_decay", -0.1), ("seed", -1), ("num_directions", 0)],
)
def test_refuses(cls: Callable[..., AbstractEstimator], argument: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"`{argument}` must be .*; found {value}"):
        cls(**{argument: value})


PINNED = {
    "spsa": [2.0, 2.0, -2.0, 2.0, -2.0, 2.0],
    "spsa-3": [3.0, 1.66666667, 1.66666667, 3.0, 1.66666667, -1.66666667],
    "critical": [1.32399385, 1.32399385, -1.32399385, 1.32399385, -1.70227781, 1.32399385],
    "critical-3": [1.82773725, 1.32353387, 0.5672288, 1.7016864, 0.44117796, -0.81933049],
}


@pytest.mark.parametrize(
    ("name", "factory"),
    [
        ("spsa", make_spsa),
        ("spsa-3", lambda: make_spsa(num_directions=3)),
        ("critical", make_critical),
        ("critical-3", lambda: make_critical(num_directions=3)),
    ],
)
def test_pinned_gradient_of_the_third_step(
    name: str, factory: Callable[[], AbstractEstimator]
) -> None:
    estimator = factory()
    estimates = [estimator(THETA, quadratic_problem()) for _ in range(3)]
    assert estimates[-1].gradient.tolist() == pytest.approx(PINNED[name], abs=1e-6)
