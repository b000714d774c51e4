import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from blackbox_anon.estimators import CriticalHistory
from blackbox_anon.estimators.critical_history import Selection
from tests.estimators import reference
from tests.properties import through_disk

SELECTIONS: tuple[Selection, ...] = ("fill_first", "literal", "latest")

# Few distinct values, so that equal norms and zero vectors are common.
entries = st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0, 3.0])
gradients = st.lists(st.tuples(entries, entries, entries), min_size=1, max_size=12)


@given(
    sequence=gradients,
    capacity=st.integers(1, 5),
    decay=st.sampled_from([0.1, 0.5, 0.9, 1.0]),
    mixing=st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    selection=st.sampled_from(SELECTIONS),
)
def test_matches_reference(
    sequence: list[tuple[float, ...]],
    capacity: int,
    decay: float,
    mixing: float,
    selection: Selection,
) -> None:
    ours = CriticalHistory(3, capacity, decay=decay, mixing=mixing, selection=selection).double()
    theirs = reference.History(capacity, decay, mixing, 0.3, selection)
    for step, values in enumerate(sequence, start=1):
        found = ours(torch.tensor(values, dtype=torch.float64), step)
        gradient, indicator = theirs(np.array(values), step)
        np.testing.assert_allclose(found.gradient.numpy(), gradient, rtol=0, atol=1e-6)
        assert found.indicator.item() == pytest.approx(indicator, abs=1e-6)
        assert ours.steps[: ours.count].tolist() == [t for t, _ in theirs.stored]
    assert not ours.gradients[ours.count :].any()


@pytest.mark.parametrize("selection", SELECTIONS)
def test_matches_reference_over_a_long_float32_run(selection: Selection) -> None:
    ours = CriticalHistory(50, 10, selection=selection)
    theirs = reference.History(10, 0.5, 0.5, 0.3, selection)
    for step in range(1, 200):
        gradient = torch.randn(50) * torch.randn(1).exp()
        found = ours(gradient, step)
        expected, indicator = theirs(gradient.double().numpy(), step)
        np.testing.assert_allclose(found.gradient.numpy(), expected, rtol=1e-4, atol=1e-5)
        assert found.indicator.item() == pytest.approx(indicator, abs=1e-5)
    assert ours.steps[: ours.count].tolist() == [t for t, _ in theirs.stored]


def test_the_current_gradient_is_not_in_its_own_mixture() -> None:
    history = CriticalHistory(1, capacity=2)
    history(torch.tensor([1.0]), 1)
    assert history(torch.tensor([5.0]), 2).gradient.item() == pytest.approx(2.5 + 0.25)


def test_switches_of_the_ablations() -> None:
    first, second = torch.tensor([4.0, 0.0]), torch.tensor([0.0, 1.0])
    full = CriticalHistory(2)
    no_direction = CriticalHistory(2, use_direction=False)
    no_step_size = CriticalHistory(2, use_step_size=False)
    for history in (full, no_direction, no_step_size):
        history(first, 1)
    expected = full(second, 2)
    without_direction, without_step_size = no_direction(second, 2), no_step_size(second, 2)
    assert torch.equal(without_direction.gradient, second)
    assert without_direction.indicator == expected.indicator
    assert torch.equal(without_step_size.gradient, expected.gradient)
    assert without_step_size.indicator == 0
    assert expected.indicator < 0.3 / np.pi * np.arctan(2 * np.pi)


def test_age_is_the_mean_of_the_stored_steps() -> None:
    history = CriticalHistory(1, capacity=3)
    ages = [history(torch.tensor([1.0]), step).age.item() for step in (1, 2, 5)]
    assert ages == [0, 1, 3.5]


def test_state_survives_a_checkpoint() -> None:
    whole, resumed = CriticalHistory(4, 3), CriticalHistory(4, 3)
    for step in range(1, 6):
        whole(torch.randn(4), step)
    resumed.load_state_dict(through_disk(whole))
    gradient = torch.randn(4)
    assert torch.equal(whole(gradient, 6).gradient, resumed(gradient, 6).gradient)
    assert torch.equal(whole.steps, resumed.steps)


def test_reset_empties_the_set() -> None:
    history = CriticalHistory(2)
    history(torch.ones(2), 1)
    history.reset()
    assert not any(buffer.any() for buffer in history.buffers())


def test_dtype_of_the_gradient_is_kept() -> None:
    history = CriticalHistory(2)
    for step, dtype in enumerate((torch.float64, torch.bfloat16, torch.float32), start=1):
        assert history(torch.ones(2, dtype=dtype), step).gradient.dtype == dtype


def test_ten_gradients_of_9000_parameters_take_less_than_a_megabyte() -> None:
    buffers = CriticalHistory(9000, capacity=10).buffers()
    assert sum(buffer.nbytes for buffer in buffers) < 1e6


def test_allocation_keeps_its_size() -> None:
    history = CriticalHistory(0, capacity=2)
    history.allocate(3)
    history(torch.ones(3), 1)
    history.allocate(3)
    assert history.count == 1
    with pytest.raises(ValueError, match="`num_parameters` must stay 3; found 4"):
        history.allocate(4)


@pytest.mark.parametrize(
    ("argument", "value"),
    [("capacity", 0), ("decay", 0.0), ("mixing", 1.5), ("indicator", 2.0), ("selection", "best")],
)
def test_refuses(argument: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"`{argument}` must be .*; found"):
        CriticalHistory(2, **{argument: value})  # type: ignore[arg-type]  # wrong on purpose


def test_refuses_another_shape() -> None:
    with pytest.raises(ValueError, match=r"`gradient` must be \(2,\); found \(3,\)"):
        CriticalHistory(2)(torch.ones(3), 1)
