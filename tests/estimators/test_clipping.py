"""A batch's longest slopes are cut to a quantile of the batch, and a lost clip decides nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from blackbox_anon.estimators import BlackBoxProblem
from blackbox_anon.estimators.functional import clip_to_quantile
from tests.estimators.cases import make_active
from tests.estimators.problems import smooth_problem
from tests.estimators.small import SEVEN

slopes = st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=20)


@given(slopes, st.floats(0.01, 1))
def test_matches_numpy(values: list[float], quantile: float) -> None:
    given_slopes = torch.tensor(values, dtype=torch.float64)
    found = clip_to_quantile(given_slopes, quantile, torch.ones(len(values), dtype=torch.bool))
    bound = np.quantile(np.abs(values), quantile) if quantile < 1 else np.inf
    np.testing.assert_allclose(found, np.clip(values, -bound, bound), rtol=1e-9, atol=1e-12)


@given(slopes, st.floats(0.01, 1), st.floats(0.01, 100))
def test_does_not_depend_on_the_unit(values: list[float], quantile: float, unit: float) -> None:
    given_slopes = torch.tensor(values, dtype=torch.float64)
    valid = torch.ones(len(values), dtype=torch.bool)
    expected = unit * clip_to_quantile(given_slopes, quantile, valid)
    torch.testing.assert_close(clip_to_quantile(unit * given_slopes, quantile, valid), expected)


def test_failed_slopes_are_not_part_of_the_quantile() -> None:
    """Failed pairs are zeros: counted, they would cut all others down."""
    values = torch.tensor([0.0, 0.0, 0.0, 1.0, 2.0, -30.0])
    found = clip_to_quantile(values, 0.5, torch.tensor([False] * 3 + [True] * 3))
    assert found.tolist() == [0, 0, 0, 1, 2, -2]
    nothing = clip_to_quantile(values, 0.5, torch.zeros(6, dtype=torch.bool))
    assert nothing.equal(values)


def with_a_lost_clip(times: float, *, failed: bool = False) -> BlackBoxProblem:
    """A batch of six whose last sample's losses are ``times`` as large."""
    posed = smooth_problem(6, 3, 4, 4)
    scale = torch.tensor([1.0] * 5 + [times], dtype=torch.float64)

    def losses(frames: Tensor) -> Tensor:
        found = posed.losses(frames) * scale.repeat(len(frames) // 6)
        return torch.where(
            scale.repeat(len(frames) // 6) == times, torch.nan if failed else found, found
        )

    return replace(posed, losses=losses)


def test_how_far_a_clip_is_lost_does_not_matter() -> None:
    far, farther = (
        make_active(clip_quantile=0.5)(SEVEN, with_a_lost_clip(times)).gradient
        for times in (1e3, 1e5)
    )
    assert far.any()
    torch.testing.assert_close(far, farther)
    uncut = make_active()(SEVEN, with_a_lost_clip(1e5)).gradient
    assert uncut.norm() > 100 * farther.norm()


def test_all_of_it_is_the_estimate_without() -> None:
    posed = with_a_lost_clip(1e3)
    assert make_active(clip_quantile=1.0)(SEVEN, posed).gradient.equal(
        make_active()(SEVEN, posed).gradient
    )


@pytest.mark.parametrize("quantile", [0.0, 1.01, float("nan")])
def test_refuses_what_is_no_quantile(quantile: float) -> None:
    with pytest.raises(ValueError, match=r"`clip_quantile` must be in \(0, 1\]; found"):
        make_active(clip_quantile=quantile)


def test_a_failed_clip_is_left_out() -> None:
    posed = with_a_lost_clip(7.0, failed=True)
    estimate = make_active(clip_quantile=0.5)(SEVEN, posed)
    assert estimate.gradient.isfinite().all()
    torch.testing.assert_close(
        estimate.logs["dropped_share"], torch.tensor(1 / 6, dtype=torch.float64)
    )
