"""SPSA-GC, the evolution strategy and the policy gradient."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import cma
import pytest
import torch
from torch import Tensor

from blackbox_anon.errors import TooFewPairsError
from blackbox_anon.estimators import (
    SPSAGC,
    AbstractEstimator,
    BlackBoxProblem,
    PolicyGradient,
    SampleSPSA,
    SeparableCMAES,
)
from blackbox_anon.estimators import policy_gradient as policy_source
from blackbox_anon.estimators import sample_spsa as sample_source
from blackbox_anon.estimators.functional import segmented_uniform
from tests import properties
from tests.estimators.problems import quadratic_gradient, quadratic_problem

THETA = torch.linspace(0.7, 0.3, 6, dtype=torch.float64)


def make_gc(seed: int = 0) -> SPSAGC:
    estimator = SPSAGC(0.1, seed=seed, num_directions=3)
    estimator.allocate(6)
    return estimator.double()


def make_es(seed: int = 0) -> SeparableCMAES:
    estimator = SeparableCMAES(0.005, seed=seed, population=6)
    estimator.allocate(6)
    return estimator.double()


def make_policy(seed: int = 0) -> PolicyGradient:
    return PolicyGradient(0.05, rollouts=3, seed=seed)


def make_sample(seed: int = 0) -> SampleSPSA:
    return SampleSPSA(0.05, seed=seed)


Make = Callable[..., AbstractEstimator]
MAKERS: dict[Make, int] = {
    make_gc: 6,
    make_es: 6,
    make_policy: 3,
    make_sample: 2,
}  # with calls per sample and step


@pytest.fixture(params=list(MAKERS))
def make(request: pytest.FixtureRequest) -> Make:
    factory: Make = request.param
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
def test_property(make: Make, check: Callable[[Make, Tensor, BlackBoxProblem], None]) -> None:
    check(make, THETA.clone(), quadratic_problem())


def test_queries(make: Make) -> None:
    problem = quadratic_problem(batch_size=5)
    properties.assert_spends_exactly(make, THETA, problem, queries=5 * MAKERS[make])


def test_repeats_by_seed_only(make: Make) -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = make(0)(THETA, quadratic_problem())
    assert torch.equal(torch.get_rng_state(), state), "the global generator was used"
    torch.manual_seed(2)
    properties.assert_same_estimates(first, make(0)(THETA, quadratic_problem()))
    assert not torch.equal(first.gradient, make(1)(THETA, quadratic_problem()).gradient)


@pytest.mark.parametrize("descending", [make_gc, make_policy, make_sample])
def test_goes_down(descending: Make) -> None:
    """The evolution strategy, whose step is its own, is held against pycma's below."""
    problem, theta, estimator = quadratic_problem(), THETA.clone(), descending()
    for _ in range(400):
        theta = theta - 2e-3 * estimator(theta, problem).gradient
    start, end = quadratic_gradient(THETA).norm(), quadratic_gradient(theta).norm()
    assert end < 0.2 * start


@pytest.mark.parametrize("number", [5, 8])
def test_buffers_keep_their_size(number: int) -> None:
    for estimator in (make_gc(), make_es()):
        estimator.allocate(6)
        with pytest.raises(ValueError, match=f"`num_parameters` must stay 6; found {number}"):
            estimator.allocate(number)
    for fresh in (SPSAGC(), SeparableCMAES()):
        with pytest.raises(ValueError, match="call `allocate"):
            fresh(THETA, quadratic_problem())


def test_gc_is_nesterov_by_the_optimizer_that_has_it() -> None:
    """torch's SGD with Nesterov momentum, fed the plain means, takes the same steps."""
    problem, plain = quadratic_problem(), SPSAGC(0.1, num_directions=3, momentum=0.0)
    plain.allocate(6)
    corrected = make_gc()
    parameter = torch.nn.Parameter(THETA.clone())
    optimizer = torch.optim.SGD([parameter], lr=0.01, momentum=0.9, nesterov=True)
    theta = THETA.clone()
    for _ in range(4):
        parameter.grad = plain.double()(parameter.detach(), problem).gradient
        optimizer.step()
        theta = theta - 0.01 * corrected(theta, problem).gradient
    torch.testing.assert_close(parameter.detach(), theta)


def test_segmented_uniform_moments() -> None:
    drawn = segmented_uniform(200_000, seed=0, step=1).double()
    assert drawn.abs().min() >= 0.5
    assert drawn.abs().max() <= 1
    torch.testing.assert_close(drawn.mean().item(), 0.0, atol=0.01, rtol=0)
    torch.testing.assert_close(drawn.square().mean().item(), 7 / 12, atol=0.01, rtol=0)


def test_policy_gradient_is_unbiased_on_a_quadratic(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean over all sign noises: odd moments vanish, as for the normal noise it stands for."""
    problem, total = quadratic_problem(1, 6), torch.zeros_like(THETA)
    signs = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=12)))
    for row in signs:
        monkeypatch.setattr(policy_source, "gaussian", lambda size, seed, step, row=row: row)  # noqa: ARG005  # its signature
        total += PolicyGradient(0.05)(THETA, problem).gradient
    expected = quadratic_gradient(THETA, 1)
    torch.testing.assert_close(total / len(signs), expected, rtol=0, atol=1e-9)


def test_directions_per_sample_are_unbiased_on_a_quadratic(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    theta, total = THETA[:3], torch.zeros_like(THETA[:3])
    problem = quadratic_problem(2, 3)
    signs = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=6)))
    for row in signs:
        monkeypatch.setattr(sample_source, "rademacher", lambda size, seed, step, row=row: row)  # noqa: ARG005  # its signature
        total += SampleSPSA(0.1)(theta, problem).gradient
    expected = quadratic_gradient(theta, 2)
    torch.testing.assert_close(total / len(signs), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("failed", [0, 7])
def test_failed_samples_are_left_out(failed: int) -> None:
    """Sample 3 of 4 asked twice or more: one failure of its versions drops them all."""
    problem = quadratic_problem(4)
    sample = failed % 4

    def fail(frames: Tensor) -> Tensor:
        found = problem.losses(frames).clone()
        found[failed] = torch.nan
        return found

    def silence(frames: Tensor) -> Tensor:
        counts = torch.ones(4, dtype=frames.dtype)
        counts[sample] = 0
        return problem.losses(frames) * counts.repeat(len(frames) // 4)

    policy, es = make_policy(), make_es()
    found = policy(THETA, replace(problem, losses=fail))
    expected = make_policy()(THETA, replace(problem, losses=silence))
    torch.testing.assert_close(found.gradient, expected.gradient * 4 / 3)
    torch.testing.assert_close(found.loss, expected.loss * 4 / 3)
    by_es = es(THETA, replace(problem, losses=fail))
    torch.testing.assert_close(
        by_es.gradient, make_es()(THETA, replace(problem, losses=silence)).gradient
    )


def test_refuses_a_batch_without_answers() -> None:
    problem = quadratic_problem()
    silent = replace(problem, losses=lambda frames: torch.full((len(frames),), torch.nan))
    for estimator in (make_es(), make_policy()):
        with pytest.raises(TooFewPairsError):
            estimator(THETA, silent)
        with pytest.raises(ValueError, match=r"`problem.losses` must be finite; found"):
            estimator(THETA, replace(problem, losses=lambda f: torch.full((len(f),), torch.inf)))
        with pytest.raises(ValueError, match=r"`problem.losses` must return shape"):
            estimator(THETA, replace(problem, losses=lambda frames: frames.mean()))


@pytest.mark.parametrize("size", [5, 40])
def test_the_strategy_needs_no_more_evaluations_than_the_reference(size: int) -> None:
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


@pytest.mark.parametrize(
    ("build", "argument", "value"),
    [
        (SPSAGC, "radius", 0.0),
        (SPSAGC, "radius_decay", -1.0),
        (SPSAGC, "seed", -1),
        (SPSAGC, "num_directions", 0),
        (SPSAGC, "momentum", 1.0),
        (SeparableCMAES, "radius", 0.0),
        (SeparableCMAES, "seed", -1),
        (SeparableCMAES, "population", 3),
        (SampleSPSA, "radius", 0.0),
        (SampleSPSA, "radius_decay", -1.0),
        (SampleSPSA, "seed", -1),
        (PolicyGradient, "noise", 0.5),
        (PolicyGradient, "rollouts", 1),
        (PolicyGradient, "seed", -1),
    ],
)
def test_refuses(build: type[AbstractEstimator], argument: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"`{argument}` must be .*; found {value}"):
        build(**{argument: value})
