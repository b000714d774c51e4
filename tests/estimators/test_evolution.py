"""The evolution strategy, whose move is no gradient: against a reference, and by ranks."""

from dataclasses import replace

import cma
import pytest
import torch
from torch import Tensor

from blackbox_anon.estimators import BlackBoxProblem, SeparableCMAES
from tests.estimators.cases import make_es
from tests.estimators.problems import failing, quadratic_problem, silent
from tests.estimators.small import THETA


@pytest.mark.parametrize("size", [5, 40])
def test_it_needs_no_more_evaluations_than_the_reference(size: int) -> None:
    """pycma's separable strategy on an axis-parallel ellipsoid of condition 1,000."""
    scales = torch.logspace(0, 3, size, dtype=torch.float64)

    def anonymize(theta: Tensor) -> Tensor:
        return 0.5 + 0.01 * theta.view(1, 1, 1, -1).expand(1, 3, 1, -1)

    def losses(frames: Tensor) -> Tensor:
        return ((100 * frames[:, 0, 0] - 50).square() * scales).sum(1)

    theta = torch.ones(size, dtype=torch.float64)
    estimator, ours = SeparableCMAES(0.5), 0
    estimator.allocate(size)
    problem = BlackBoxProblem(anonymize=anonymize, losses=losses)
    while losses(anonymize(theta)) > 1e-6 and ours < 50_000:
        estimate = estimator(theta, problem)
        theta, ours = theta - estimate.gradient, ours + estimate.queries
    options = {"CMA_diagonal": True, "ftarget": 1e-6, "verbose": -9, "seed": 1}
    reference = cma.CMAEvolutionStrategy(size * [1.0], 0.5, options)
    reference.optimize(lambda x: float((torch.tensor(x).square() * scales).sum()))
    assert ours < 1.5 * reference.result.evaluations


def test_only_the_order_of_losses_counts() -> None:
    problem = quadratic_problem(1)
    curved = replace(problem, losses=lambda frames: problem.losses(frames).exp() - 3)
    plain, other = make_es(), make_es()
    for _ in range(3):
        assert torch.equal(plain(THETA, problem).gradient, other(THETA, curved).gradient)


@pytest.mark.parametrize("failed", [0, 7])
def test_a_sample_that_failed_for_one_version_ranks_none(failed: int) -> None:
    problem = quadratic_problem(4)
    found = make_es()(THETA, failing(problem, failed))
    expected = make_es()(THETA, silent(problem, failed % 4, batch=4))
    torch.testing.assert_close(found.gradient, expected.gradient)
    assert found.logs["dropped_share"] == 0.25
