from dataclasses import replace

import pytest
import torch
from torch import Tensor

from blackbox_anon.estimators import (
    SPSA,
    BlackBoxProblem,
    CriticalHistory,
)
from blackbox_anon.estimators.functional import power_decay, rademacher, spsa_gradient
from tests import properties
from tests.estimators.problems import quadratic_gradient, quadratic_problem
from tests.estimators.small import THETA, make_critical, make_spsa


def test_spsa_is_the_mean_of_its_pairs() -> None:
    problem, estimator = quadratic_problem(), make_spsa(num_directions=2)
    for step in (1, 2, 3):
        radius = power_decay(0.1, 0.2, step)
        expected = torch.zeros(6, dtype=torch.float64)
        for direction in rademacher(12, 0, step).double().reshape(2, 6):
            plus = problem.losses(problem.anonymize(THETA + radius * direction)).mean()
            minus = problem.losses(problem.anonymize(THETA - radius * direction)).mean()
            expected += spsa_gradient(plus, minus, direction, radius) / 2
        estimate = estimator(THETA, problem)
        torch.testing.assert_close(estimate.gradient, expected, rtol=0, atol=1e-10)
        assert estimate.logs["radius"].item() == pytest.approx(radius)


def test_spsa_points_uphill_on_average() -> None:
    estimate = make_spsa(num_directions=2000)(THETA, quadratic_problem())
    exact = quadratic_gradient(THETA)
    assert torch.cosine_similarity(estimate.gradient, exact, dim=0) > 0.99


def test_critical_estimate_is_the_history_applied_to_spsa() -> None:
    problem, plain, critical = quadratic_problem(), make_spsa(), make_critical()
    history = CriticalHistory(6, capacity=3).double()
    for step in range(1, 8):
        enhanced = history(plain(THETA, problem).gradient, step)
        estimate = critical(THETA, problem)
        expected = (1 + enhanced.indicator) * enhanced.gradient
        assert torch.equal(estimate.gradient, expected)
        assert estimate.logs["indicator"] == enhanced.indicator
        assert estimate.logs["cosine"] == enhanced.cosine
        assert estimate.logs["history_age"] == enhanced.age
        assert estimate.logs["enhanced_norm"] == enhanced.gradient.norm()
    assert critical.step == 7


def test_loss_is_the_mean_over_the_pair() -> None:
    problem, asked, _ = properties.recording(quadratic_problem())
    estimate = make_spsa()(THETA, problem)
    expected = torch.stack([problem.losses(problem.anonymize(theta)) for theta in asked[:2]])
    assert estimate.loss.item() == pytest.approx(expected.mean().item())


def test_losses_are_averaged_over_ranks_before_the_difference() -> None:
    """A second rank with the same directions and losses 3 times as large."""

    def mean_over_ranks(tensor: Tensor) -> Tensor:
        other = tensor.clone()
        other[:2] *= 3
        return (tensor + other) / 2

    alone = make_spsa()(THETA, quadratic_problem())
    problem = replace(quadratic_problem(), mean_over_ranks=mean_over_ranks)
    together = make_spsa()(THETA, problem)
    torch.testing.assert_close(together.gradient, 2 * alone.gradient)
    torch.testing.assert_close(together.loss, 2 * alone.loss)


def test_a_pair_that_is_dead_on_this_rank_only_is_not_dead() -> None:
    def mean_over_ranks(tensor: Tensor) -> Tensor:
        other = tensor.clone()
        other[0] += 1  # the other rank's plus losses
        other[2] = 1  # and all of its samples differ
        return (tensor + other) / 2

    problem = BlackBoxProblem(
        anonymize=quadratic_problem().anonymize,
        losses=lambda frames: frames.new_ones(len(frames)),
        mean_over_ranks=mean_over_ranks,
    )
    estimate = make_critical()(THETA, problem)
    assert estimate.gradient.any()
    assert estimate.logs["dead_share"] == 0.5
    assert estimate.logs["dead_pairs"] == 0


def test_one_dead_direction_contributes_zero() -> None:
    problem = quadratic_problem()

    def second_direction_is_dead(frames: Tensor) -> Tensor:
        losses = problem.losses(frames).reshape(2, 2, -1)
        losses[:, 1] = 7
        return losses.flatten()

    estimate = make_spsa(num_directions=2)(THETA, replace(problem, losses=second_direction_is_dead))
    torch.testing.assert_close(
        estimate.gradient.abs(), estimate.gradient.abs()[0].expand(6), rtol=1e-12, atol=0
    )
    assert estimate.logs["dead_share"] == 0.5
    assert estimate.logs["dead_pairs"] == 1


def test_dead_step_of_the_critical_estimator_has_no_indicator() -> None:
    problem, estimator = quadratic_problem(), make_critical()
    estimator(THETA, problem)
    dead = replace(problem, losses=lambda frames: frames.new_zeros(len(frames)))
    logs = estimator(THETA, dead).logs
    assert estimator.dead_pairs == 1
    assert logs["indicator"] == logs["cosine"] == logs["enhanced_norm"] == 0
    assert logs["history_age"] == 1


def test_both_halves_see_the_same_randomness_and_steps_do_not() -> None:
    noise: list[Tensor] = []

    def anonymize(theta: Tensor) -> Tensor:
        noise.append(torch.rand(3))
        return theta.reshape(1, 3, 1, -1)

    estimator = make_spsa(num_directions=2)
    for _ in range(2):
        estimator(THETA, replace(quadratic_problem(batch_size=1), anonymize=anonymize))
    assert all(torch.equal(noise[0], drawn) for drawn in noise[:4])
    assert not torch.equal(noise[0], noise[4])


def test_pixel_difference_is_that_of_8_bit_images() -> None:
    problem = quadratic_problem()
    coarse = SPSA(0.1)(THETA, problem).logs["pixel_difference"]
    assert coarse.item() == pytest.approx(0.2, abs=1 / 255)
    middle = torch.full((6,), 100.0 / 255, dtype=torch.float64)
    assert SPSA(0.001)(middle, problem).logs["pixel_difference"] == 0


def test_half_precision_losses_are_averaged_in_float32() -> None:
    problem = quadratic_problem()
    rounded = replace(problem, losses=lambda frames: problem.losses(frames).bfloat16())
    assert make_spsa()(THETA, rounded).loss.dtype == torch.float32
