"""Confidence intervals: known values, coverage, and no touch of the global generator."""

import pytest
import torch

from blackbox_anon.metrics.functional import (
    bootstrap_interval,
    class_mean_average_precision,
    wilson_interval,
)


def test_wilson_known_values() -> None:
    assert wilson_interval(0, 10) == pytest.approx((0.0, 0.2775328), abs=1e-6)
    assert wilson_interval(10, 10) == pytest.approx((0.7224672, 1.0), abs=1e-6)
    assert wilson_interval(5, 10, level=0.9) == pytest.approx((0.2692718, 0.7307282), abs=1e-6)


def test_bootstrap_of_a_mean_is_near_the_normal_interval() -> None:
    values = torch.randn(400, dtype=torch.float64)
    low, high = bootstrap_interval(torch.mean, [values], seed=1)
    half = 1.96 * values.std().item() / 20
    assert low == pytest.approx(values.mean().item() - half, abs=0.02)
    assert high == pytest.approx(values.mean().item() + half, abs=0.02)


def test_bootstrap_repeats_and_leaves_the_global_generator_alone() -> None:
    scores, targets = torch.rand(30, 3), (torch.rand(30, 3) < 0.3).long()
    before = torch.get_rng_state()
    first = bootstrap_interval(
        class_mean_average_precision, (scores, targets), seed=4, resamples=50
    )
    again = bootstrap_interval(
        class_mean_average_precision, (scores, targets), seed=4, resamples=50
    )
    assert first == again
    assert torch.equal(before, torch.get_rng_state())


def test_bootstrap_leaves_out_resamples_without_any_attribute() -> None:
    targets = torch.tensor([[1], [0]])  # one resample in four has no positive
    low, high = bootstrap_interval(class_mean_average_precision, (targets, targets), seed=0)
    assert (low, high) == (1.0, 1.0)


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match=r"samples: .* found \[2, 3\]"):
        bootstrap_interval(torch.mean, [torch.zeros(2), torch.zeros(3)], seed=0)
    with pytest.raises(ValueError, match=r"samples: .* found \[0\]"):
        bootstrap_interval(torch.mean, [torch.zeros(0)], seed=0)
    with pytest.raises(ValueError, match="resamples: expected at least 1, found 0"):
        bootstrap_interval(torch.mean, [torch.zeros(2)], seed=0, resamples=0)
    with pytest.raises(ValueError, match=r"level: expected between 0 and 1, found 95"):
        wilson_interval(1, 2, level=95)
    with pytest.raises(ValueError, match="trials: expected at least 1, found 0"):
        wilson_interval(0, 0)
    with pytest.raises(ValueError, match="successes: expected 0 to 2, found 3"):
        wilson_interval(3, 2)
