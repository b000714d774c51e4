"""The distance to the raw frames, corrected by what was paid for."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from blackbox_anon.estimators import ActiveSubspaceSPSA, BlackBoxProblem, FidelityGuided
from blackbox_anon.estimators.fidelity_guided import distances
from tests import properties
from tests.estimators.cases import make_active, with_raw
from tests.estimators.problems import exact_gradient, failing, smooth_problem
from tests.estimators.small import SEVEN


def posed(batch: int) -> BlackBoxProblem:
    return with_raw(smooth_problem(batch, 2, 3, 8, 6))


def distance_alone(batch: int, weight: float) -> BlackBoxProblem:
    """A black box that minds nothing but the distance."""
    problem = posed(batch)
    raw = problem.raw
    assert raw is not None

    def losses(frames: Tensor) -> Tensor:
        return weight * torch.stack(
            [(part - raw[i % batch]).abs().mean() for i, part in enumerate(frames)]
        )

    return replace(problem, losses=losses)


@pytest.mark.parametrize("correction", [0.0, 0.4, 1.0])
def test_where_distance_is_all_nothing_is_left_to_queries(correction: float) -> None:
    problem = distance_alone(4, weight=1.3)
    guided = FidelityGuided(make_active(), weight=1.3, correction=correction, share=1.0)
    estimate = guided(SEVEN, problem)
    torch.testing.assert_close(estimate.gradient, exact_gradient(problem, SEVEN))
    at_theta = problem.losses(problem.anonymize(SEVEN)).mean().detach()
    torch.testing.assert_close(estimate.loss, at_theta, rtol=0.1, atol=0)  # it is asked beside it
    assert estimate.logs["correction_norm"] < 1e-9


def test_without_weight_it_is_the_wrapped_estimator() -> None:
    estimate = FidelityGuided(make_active(), weight=0.0)(SEVEN, posed(4))
    alone = make_active()(SEVEN, posed(4))
    torch.testing.assert_close(estimate.gradient, alone.gradient, rtol=0, atol=0)
    torch.testing.assert_close(estimate.loss, alone.loss, rtol=0, atol=0)
    assert estimate.queries == alone.queries


def test_it_is_a_control_variate() -> None:
    """What the distance adds, the queries take away: the mean over draws is the gradient."""
    problem, found = posed(4), []
    for seed in range(400):
        inner = ActiveSubspaceSPSA(rank=7, sketches=8, seed=seed)  # all seven directions
        inner.allocate(7)
        found.append(FidelityGuided(inner, weight=5.0, share=1.0)(SEVEN, problem).gradient)
    drawn = torch.stack(found)
    error = drawn.std(0) / len(drawn) ** 0.5
    off = (drawn.mean(0) - exact_gradient(problem, SEVEN)) / error
    assert off.square().mean() < 4


def test_a_share_of_the_samples_takes_its_turn() -> None:
    problem, asked = posed(4), []

    def some(theta: Tensor, chosen: Tensor) -> Tensor:
        asked.append(chosen.tolist())
        return problem.anonymize(theta)[chosen]

    guided = FidelityGuided(make_active(), share=0.5)
    for _ in range(3):
        guided(SEVEN, replace(problem, anonymize_some=some))
    assert asked == [[0, 1], [2, 3], [0, 1]]


def test_a_failed_call_leaves_its_sample_out() -> None:
    problem = posed(4)
    estimate = FidelityGuided(make_active(), weight=2.0)(SEVEN, failing(problem, 1))
    losses = problem.losses(problem.anonymize(SEVEN))
    torch.testing.assert_close(estimate.loss, losses[[0, 2, 3]].mean(), rtol=0.05, atol=0.05)
    assert all(value.isfinite().all() for value in properties.tensors_of(estimate).values())


def test_a_part_of_a_batch_is_guided_too() -> None:
    """An estimator that asks about some samples only sees the rest's losses, too."""
    whole, seen = posed(4), []

    class Half(ActiveSubspaceSPSA):
        def forward(self, theta, problem):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            part = problem.subset(torch.tensor([1, 3]))
            seen.append(part.losses(part.anonymize(theta)))
            return super().forward(theta, part)

    def subset(chosen: Tensor) -> BlackBoxProblem:
        assert whole.raw is not None
        return replace(smooth_problem(2, 2, 3, 8, 6), raw=whole.raw[chosen])

    inner = Half(rank=3, sketches=4)
    inner.allocate(7)
    FidelityGuided(inner.double(), weight=3.0)(SEVEN, replace(whole, subset=subset))
    part = subset(torch.tensor([1, 3]))
    shown = part.anonymize(SEVEN)
    assert part.raw is not None
    torch.testing.assert_close(seen[0], part.losses(shown) - 3 * distances(shown, part.raw))


def test_raw_frames_are_needed() -> None:
    with pytest.raises(ValueError, match=r"`problem\.raw` must be the frames"):
        FidelityGuided(make_active())(SEVEN, smooth_problem(4, 2, 3, 8, 6))


@pytest.mark.parametrize("limit", [0.3, 1.0, 1e6])
def test_the_correction_is_bounded_by_the_guide(limit: float) -> None:
    posed = with_raw(smooth_problem(4, 2, 3, 8, 6))
    free = FidelityGuided(make_active(), weight=0.1)(SEVEN, posed)
    found = FidelityGuided(make_active(), weight=0.1, limit=limit)(SEVEN, posed)
    ratio = free.logs["correction_norm"] / free.logs["prior_norm"]
    assert ratio > 1  # else nothing is bounded
    cut = min(1.0, limit / float(ratio))
    prior = FidelityGuided(make_active(), weight=0.1, correction=0.0)(SEVEN, posed).gradient
    torch.testing.assert_close(found.gradient, prior + cut * (free.gradient - prior))
    assert found.loss == free.loss


@pytest.mark.parametrize(
    "chosen", [{"weight": -1.0}, {"correction": 1.5}, {"share": 0.0}, {"limit": 0.0}]
)
def test_arguments_are_checked(chosen: dict[str, float]) -> None:
    (name,) = chosen
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        FidelityGuided(make_active(), **chosen)
