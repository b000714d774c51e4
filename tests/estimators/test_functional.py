import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from blackbox_anon.estimators.functional import (
    critical_slot,
    guarded_cosine,
    power_decay,
    rademacher,
    spsa_gradient,
    step_indicator,
)
from tests.estimators import reference
from tests.estimators.problems import quadratic_gradient, quadratic_problem

losses = st.floats(-10, 10)


@given(losses, losses, st.floats(1e-3, 1), st.integers(0, 1000))
def test_spsa_matches_reference(plus: float, minus: float, radius: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    uniform = torch.rand(5, generator=generator, dtype=torch.float64) * 0.5 + 0.5
    for direction in (uniform, rademacher(5, seed, 1).double()):
        ours = spsa_gradient(
            torch.tensor(plus).double(), torch.tensor(minus).double(), direction, radius
        )
        theirs = reference.spsa(
            float(np.float32(plus)), float(np.float32(minus)), direction.numpy(), radius
        )
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-6, atol=1e-9)


def test_spsa_over_all_sign_vectors_is_the_exact_gradient_of_a_quadratic() -> None:
    theta = torch.linspace(0.7, 0.3, 6, dtype=torch.float64)
    problem = quadratic_problem()
    total = torch.zeros_like(theta)
    for signs in itertools.product((-1.0, 1.0), repeat=6):
        direction = torch.tensor(signs, dtype=torch.float64)
        plus = problem.losses(problem.anonymize(theta + 0.1 * direction)).mean()
        minus = problem.losses(problem.anonymize(theta - 0.1 * direction)).mean()
        total += spsa_gradient(plus, minus, direction, 0.1)
    torch.testing.assert_close(total / 2**6, quadratic_gradient(theta), rtol=0, atol=1e-10)


def test_spsa_refuses_a_radius_of_zero() -> None:
    with pytest.raises(ValueError, match="`radius` must be positive; found 0"):
        spsa_gradient(torch.tensor(1.0), torch.tensor(0.0), torch.ones(2), 0.0)


@pytest.mark.parametrize(
    ("initial", "exponent", "step", "offset", "expected"),
    [
        (0.01, 0.4, 1, 0, 0.01),
        (0.01, 0.4, 1, 1, 0.0075786),
        (0.01, 0.4, 100, 0, 0.0015849),
        (0.005, 0.2, 100, 0, 0.0019905),
        (0.3, 0.0, 7, 0, 0.3),
    ],
)
def test_power_decay(
    initial: float, exponent: float, step: int, offset: int, expected: float
) -> None:
    assert power_decay(initial, exponent, step, offset) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("exponent", "step", "offset"), [(0.4, 0, 0), (-0.1, 1, 0), (0.4, 1, -1)])
def test_power_decay_refuses(exponent: float, step: int, offset: int) -> None:
    with pytest.raises(ValueError, match="must"):
        power_decay(0.01, exponent, step, offset)


def test_rademacher_is_fair_and_independent_over_steps_and_seeds() -> None:
    draws = torch.stack([rademacher(4096, s, k) for s in range(4) for k in range(4)])
    assert torch.equal(draws.abs(), torch.ones_like(draws))
    assert draws.mean(dim=1).abs().max() < 5 / 4096**0.5
    correlation = draws @ draws.T / 4096 - torch.eye(16)
    assert correlation.abs().max() < 5 / 4096**0.5


def test_rademacher_is_pinned() -> None:
    assert rademacher(8, seed=0, step=1).tolist() == [-1, -1, 1, -1, 1, -1, -1, -1]


def test_rademacher_leaves_the_global_generator_alone() -> None:
    state = torch.get_rng_state()
    rademacher(8, seed=0, step=1)
    assert torch.equal(torch.get_rng_state(), state)


def test_rademacher_refuses_negative_seeds() -> None:
    with pytest.raises(ValueError, match="`seed` and `step` must be 0 or more; found -1 and 1"):
        rademacher(8, seed=-1, step=1)


@pytest.mark.parametrize(
    ("score", "count", "order", "slot"),
    [
        (0.1, 0, "fill_first", 0),
        (0.1, 0, "literal", 0),
        (0.1, 2, "fill_first", 2),
        (0.1, 2, "literal", 2),
        (2.0, 2, "fill_first", 2),
        (2.0, 2, "literal", 0),  # equal smallest scores: the first one goes
        (1.0, 2, "literal", 2),  # a tie with the smallest is not greater
        (1.0, 3, "fill_first", 2),
        (0.5, 3, "fill_first", -1),
        (0.5, 3, "literal", -1),
    ],
)
def test_critical_slot(score: float, count: int, order: str, slot: int) -> None:
    scores = torch.tensor([1.0, 1.0, 0.5])
    taken = torch.tensor(count)
    found = (
        critical_slot(torch.tensor(score), scores, taken, "literal")
        if order == "literal"
        else critical_slot(torch.tensor(score), scores, taken)
    )
    assert found.item() == slot


def test_indicator_is_odd_bounded_and_defined_for_zero() -> None:
    vector, zero = torch.tensor([1.0, 2.0]), torch.zeros(2)
    largest = step_indicator(vector, vector, 0.3)
    assert largest.item() == pytest.approx(0.13492, abs=1e-5)
    assert step_indicator(vector, -vector, 0.3) == -largest
    assert step_indicator(zero, vector, 0.3) == step_indicator(vector, zero, 0.3) == 0


def test_cosine_survives_tiny_vectors() -> None:
    tiny = torch.tensor([3e-30, 4e-30])
    assert guarded_cosine(tiny, torch.tensor([1.0, 0.0])).item() == pytest.approx(0.6)
