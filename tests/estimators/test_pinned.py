"""One table of pinned values."""

from collections.abc import Callable

import pytest

from blackbox_anon.estimators import AbstractEstimator
from tests.estimators.problems import quadratic_problem
from tests.estimators.small import THETA, make_critical, make_spsa

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
