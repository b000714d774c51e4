"""Skipping queries while privacy is active, and asking only about some samples."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from blackbox_anon.estimators import (
    SPSA,
    AbstractEstimator,
    AdaptiveAllocation,
    BlackBoxProblem,
    CriticalHistory,
    OutputSpaceSPSA,
    SkipWhilePrivate,
)
from blackbox_anon.estimators.adaptive_allocation import (
    inclusion_probabilities,
    systematic_sample,
)
from tests import properties
from tests.estimators.problems import quadratic_problem

THETA = torch.linspace(0.7, 0.3, 6, dtype=torch.float64)
UTILITY, PRIVACY = torch.tensor(0), torch.tensor(1)


def divisible(posed: BlackBoxProblem, batch: int, chosen: Tensor | None = None) -> BlackBoxProblem:
    """The problem with names and parts; a part is answered by asking the whole about it."""
    kept = torch.arange(batch) if chosen is None else chosen

    def losses(frames: Tensor) -> Tensor:
        found = []
        for version in frames.split(len(kept)):
            whole = version.new_full((batch, *version.shape[1:]), 0.5)
            whole[kept] = version
            found.append(posed.losses(whole)[kept])
        return torch.cat(found)

    return replace(
        posed,
        anonymize=lambda theta: posed.anonymize(theta)[kept],
        losses=losses,
        names=[f"clip {int(i)}" for i in kept],
        subset=lambda indices: divisible(posed, batch, kept[indices]),
    )


def make_skipping(seed: int = 0) -> SkipWhilePrivate:
    return SkipWhilePrivate(SPSA(0.1, seed=seed), max_skips=2)


def make_allocation(seed: int = 0) -> AdaptiveAllocation:
    inner = OutputSpaceSPSA(0.05, grid=1, seed=seed, history=CriticalHistory(0, capacity=3))
    estimator = AdaptiveAllocation(inner, seed=seed, memory=64)
    estimator.allocate(6)
    return estimator.double()


@pytest.mark.parametrize("make", [make_skipping, make_allocation])
@pytest.mark.parametrize(
    "check",
    [
        properties.assert_adds_nothing_to_graph,
        properties.assert_leaves_theta_unchanged,
        properties.assert_continues_identically,
        properties.assert_reset_restarts,
    ],
)
def test_property(
    make: Callable[[], AbstractEstimator],
    check: Callable[[Callable[[], AbstractEstimator], Tensor, BlackBoxProblem], None],
) -> None:
    check(make, THETA.clone(), divisible(quadratic_problem(4), 4))


def test_asks_nothing_while_privacy_is_active() -> None:
    problem, asked, sizes = properties.recording(quadratic_problem())
    estimator = make_skipping()
    first = estimator(THETA, problem)
    spent = []
    for active in (PRIVACY, PRIVACY, PRIVACY, PRIVACY, UTILITY, PRIVACY):
        estimator.heed(active)
        estimate = estimator(THETA, problem)
        spent.append(estimate.queries)
        if estimate.queries == 0:
            assert not estimate.gradient.any()
            assert estimate.logs["skipped"] == 1
    assert spent == [0, 0, 8, 0, 8, 0], "asks again after two skipped steps, or for utility"
    assert sizes == [8, 8, 8]
    assert len(asked) == 6
    assert first.logs["skipped"] == 0


def test_a_skipped_step_repeats_the_last_known_loss() -> None:
    estimator, problem = make_skipping(), quadratic_problem()
    first = estimator(THETA, problem)
    estimator.heed(PRIVACY)
    torch.testing.assert_close(estimator(THETA, problem).loss, first.loss.float())


def test_a_failed_query_can_be_retried() -> None:
    properties.assert_failed_query_can_be_retried(make_skipping, THETA, quadratic_problem())
    problem = divisible(quadratic_problem(4), 4)

    def refuse(chosen: Tensor) -> BlackBoxProblem:
        raise ConnectionError(len(chosen))

    retried = make_allocation()
    with pytest.raises(ConnectionError):
        retried(THETA, replace(problem, subset=refuse))
    properties.assert_same_estimates(make_allocation()(THETA, problem), retried(THETA, problem))


def test_the_first_step_is_never_skipped() -> None:
    estimator = make_skipping()
    estimator.heed(PRIVACY)
    assert estimator(THETA, quadratic_problem()).queries == 8


def test_the_wrapped_estimator_is_told() -> None:
    outer = SkipWhilePrivate(make_skipping(), max_skips=1)
    outer.heed(PRIVACY)
    assert isinstance(outer.estimator, SkipWhilePrivate)
    assert outer.estimator.private


def watched(problem: BlackBoxProblem, see: Callable[[Tensor, list[int]], None]) -> BlackBoxProblem:
    """The same problem; ``see`` gets each drawn part's indices and the list of its query sizes."""
    divide = problem.subset
    assert divide is not None

    def subset(chosen: Tensor) -> BlackBoxProblem:
        part, _, sizes = properties.recording(divide(chosen))
        see(chosen, sizes)
        return part

    return replace(problem, subset=subset)


def test_spends_its_share_only() -> None:
    problem, _, sizes = properties.recording(divisible(quadratic_problem(5), 5))
    parts: list[list[int]] = []
    posed = watched(problem, lambda _, asked: parts.append(asked))
    assert make_allocation()(THETA, posed).queries == 2 * 3, "half of five, rounded up, twice each"
    assert parts == [[6]]
    assert sizes == [], "the whole batch is not asked"


def test_hard_samples_are_asked_about_more_often() -> None:
    """Sample ``b`` of the quadratic loses ``b + 1`` times as much as the first."""
    estimator, drawn = make_allocation(), torch.zeros(8)

    def see(chosen: Tensor, _: list[int]) -> None:
        drawn[chosen] += 1

    for _ in range(60):
        estimator(THETA, watched(divisible(quadratic_problem(8), 8), see))
    assert drawn[-2:].min() > 1.5 * drawn[:2].max()
    assert drawn.min() > 0, "the floor lets an easy sample come back"


def test_weights_keep_the_estimate_unbiased(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean over all offsets of the draw is the batch's; a pair's mean has no noise here."""
    problem, learned = divisible(quadratic_problem(4), 4), make_allocation()
    for _ in range(10):
        learned(THETA, problem)
    state, offsets = properties.through_disk(learned), 400
    total = torch.zeros((), dtype=torch.float64)
    for index in range(offsets):
        estimator = make_allocation()
        estimator.load_state_dict(state)
        monkeypatch.setattr(estimator, "_offset", lambda index=index: (index + 0.5) / offsets)
        total += estimator(THETA, problem).loss / offsets
    plain = OutputSpaceSPSA(0.05, grid=1)(THETA, problem)
    torch.testing.assert_close(total, plain.loss, rtol=0.01, atol=0)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("scores", [[0.0] * 5, [9.0, 0.0, 0.0, 0.0, 0.0], [5.0, 4.0, 3.0, 2.0, 1]])
def test_probabilities_and_draws_agree(scores: list[float], count: int) -> None:
    chances = inclusion_probabilities(torch.tensor(scores), count, floor=0.25)
    torch.testing.assert_close(chances.sum().item(), float(count))
    assert chances.max() <= 1
    assert chances.min() >= 0.25 * count / 5 - 1e-12
    drawn, offsets = torch.zeros(5, dtype=torch.float64), 1000
    for index in range(offsets):
        chosen = systematic_sample(chances, (index + 0.5) / offsets)
        assert len(chosen.unique()) == count
        drawn[chosen] += 1 / offsets
    torch.testing.assert_close(drawn, chances, rtol=0, atol=2e-3)


def test_needs_names_and_parts() -> None:
    with pytest.raises(ValueError, match=r"`problem` must have `names` and `subset`"):
        make_allocation()(THETA, quadratic_problem())


@pytest.mark.parametrize(
    ("argument", "value"),
    [("share", 0.0), ("share", 1.5), ("floor", 0.0), ("memory", 0), ("seed", -1)],
)
def test_allocation_refuses(argument: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"`{argument}` must be .*; found {value}"):
        AdaptiveAllocation(SPSA(), **{argument: value})  # type: ignore[arg-type]  # wrong on purpose


def test_skipping_refuses() -> None:
    with pytest.raises(ValueError, match=r"`max_skips` must be 1 or more; found 0"):
        SkipWhilePrivate(SPSA(), max_skips=0)


def test_wrappers_compose() -> None:
    estimator = SkipWhilePrivate(make_allocation(), max_skips=1)
    estimator.allocate(6)
    problem = divisible(quadratic_problem(4), 4)
    spent = []
    for active in itertools.islice(itertools.cycle((PRIVACY, UTILITY)), 4):
        spent.append(estimator(THETA, problem).queries)
        estimator.heed(active)
    assert spent == [4, 0, 4, 0]
