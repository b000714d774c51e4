"""Estimators whose samples answer for themselves: what one that fails, or is dead, does."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.estimators.cases import Case, cases
from tests.estimators.problems import failing, silent


@pytest.mark.parametrize("versions", [(0,), (-1,), (0, -1)])
@cases("policy", "sample", "output-grid", "output-cosine", "active")
def test_a_sample_with_a_failed_version_is_left_out(case: Case, versions: tuple[int, ...]) -> None:
    """A silent one's own estimate is zero; the mean is over the two others."""
    posed = case.pose(3)
    expected = case.make()(case.theta, silent(posed, 2, batch=3))
    positions = [3 * (version % case.calls) + 2 for version in versions]
    found = case.make()(case.theta, failing(posed, *positions))
    torch.testing.assert_close(found.gradient, expected.gradient * 3 / 2)
    torch.testing.assert_close(found.loss, expected.loss * 3 / 2)
    torch.testing.assert_close(found.logs["dropped_share"].item(), 1 / 3)
    assert found.queries == 3 * case.calls


@cases("policy", "sample", "output-grid", "output-cosine", "output-3", "active")
def test_one_dead_sample_is_no_dead_step(case: Case) -> None:
    estimate = case.make()(case.theta, silent(case.pose(2), 1, batch=2))
    assert estimate.gradient.any()
    assert estimate.logs["dead_share"] == 0.5
    assert estimate.logs["dead_pairs"] == 0


@cases("policy", "sample", "output-grid", "output-cosine")
def test_ranks_are_averaged_by_what_they_got_answered(case: Case) -> None:
    """The other rank's losses are three times as large, and it lost one of its two samples."""
    first = case.pose(2)
    second = failing(replace(first, losses=lambda frames: 3 * first.losses(frames)), 0)
    sent: list[list[Tensor]] = []
    for half in (first, second):
        sent.append([])

        def record(values: Tensor) -> Tensor:
            sent[-1].append(values)
            return values

        case.make()(case.theta, replace(half, mean_over_ranks=record))
    means = iter([sum(pair) / 2 for pair in zip(*sent, strict=True)])
    found = case.make()(case.theta, replace(first, mean_over_ranks=lambda _: next(means)))
    alone, other = (case.make()(case.theta, half) for half in (first, second))
    torch.testing.assert_close(found.gradient, (2 * alone.gradient + other.gradient) / 3)
    torch.testing.assert_close(found.loss, (2 * alone.loss + other.loss) / 3)
