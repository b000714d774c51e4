from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from blackbox_anon.estimators import power_decay
from blackbox_anon.scalarizations import (
    AbstractScalarization,
    AugmentedTchebycheff,
    IdealPoint,
    Scalarized,
    Tchebycheff,
    WeightedSum,
)
from blackbox_anon.scalarizations.ideal_point import IdealRule
from tests.properties import through_disk
from tests.scalarizations.reference import Reference, descend

CLASSES = (WeightedSum, Tchebycheff, AugmentedTchebycheff)
Make = Callable[..., AbstractScalarization]

# Few distinct values, so that ties and negative losses are common.
value = st.sampled_from([-1.0, 0.0, 0.5, 0.75, 1.0, 2.0, 4.0])
weight_lists = st.lists(st.sampled_from([0.2, 0.5, 1.0]), min_size=2, max_size=4)


@given(data=st.data(), weights=weight_lists, margin=st.sampled_from([0.0, 0.1, 0.5]))
def test_matches_reference(data: st.DataObject, weights: list[float], margin: float) -> None:
    sigma, count = 0.05, len(weights)
    ours = {
        "sum": WeightedSum(weights, margin=margin).double(),
        "max": Tchebycheff(weights, margin=margin).double(),
        "augmented": AugmentedTchebycheff(weights, sigma, margin=margin).double(),
    }
    theirs = Reference(weights, margin, sigma)
    rows = st.lists(
        st.lists(st.floats(-5, 5), min_size=3, max_size=3), min_size=count, max_size=count
    )
    theta = torch.zeros(3, dtype=torch.float64)
    for step in range(1, data.draw(st.integers(1, 5)) + 1):
        values = data.draw(st.lists(value, min_size=count, max_size=count))
        gradients = np.array(data.draw(rows))
        found = {
            name: scalarize(torch.tensor(values, dtype=torch.float64), torch.from_numpy(gradients))
            for name, scalarize in ours.items()
        }
        distances = theirs.distances(values)
        total, summed = theirs.sum(values, gradients)
        top, steepest, active = theirs.largest(distances, gradients)
        expected = {
            "sum": (total, summed),
            "max": (top, steepest),
            "augmented": (top + sigma * total, steepest + sigma * summed),
        }
        for name, (scalar, direction) in expected.items():
            np.testing.assert_allclose(found[name].gradient.numpy(), direction, atol=1e-6)
            assert found[name].value.item() == pytest.approx(scalar, abs=1e-6)
            np.testing.assert_allclose(found[name].distances.numpy(), distances, atol=1e-6)
        assert found["max"].active == found["augmented"].active == active
        moved = theta - power_decay(0.01, 0.4, step) * found["augmented"].gradient
        np.testing.assert_allclose(
            moved.numpy(), descend(theta.numpy(), expected["augmented"][1], step), atol=1e-6
        )
        theta = moved


@pytest.mark.parametrize("cls", CLASSES)
def test_a_tie_goes_to_the_first(cls: Make) -> None:
    assert cls()(torch.tensor([1.0, 1.0]), torch.eye(2)).active == 0


def test_active_of_a_weighted_sum_is_the_largest_weighted_value() -> None:
    scalarize = WeightedSum((0.9, 0.1))
    scalarize(torch.tensor([2.0, 1.0]), torch.eye(2))
    combined = scalarize(torch.tensor([2.0, 9.0]), torch.eye(2))
    assert combined.active == 0
    assert combined.distances.argmax() == 1


def test_a_negative_objective_keeps_an_unreachable_ideal() -> None:
    combined = Tchebycheff()(torch.tensor([-2.0, 1.0]), torch.eye(2))
    torch.testing.assert_close(combined.distances, torch.tensor([0.1, 0.05]))


def test_normalized_objectives_do_not_depend_on_their_units() -> None:
    plain, scaled = (AugmentedTchebycheff(normalize=True) for _ in range(2))
    units = torch.tensor([8.0, 0.25])
    for _ in range(4):
        values, gradients = torch.rand(2) + 0.5, torch.randn(2, 5)
        first = plain(values, gradients)
        second = scaled(values * units, gradients * units.unsqueeze(1))
        assert torch.equal(first.gradient, second.gradient)
        assert torch.equal(first.distances, second.distances)


def test_normalizing_survives_a_first_value_of_zero() -> None:
    combined = WeightedSum(normalize=True)(torch.tensor([0.0, 2.0]), torch.eye(2))
    assert combined.value == 0.5


def test_ema_best_follows_a_loop() -> None:
    ideal = IdealPoint(1, "ema_best", ema_decay=0.8).double()
    average, best = 0.0, float("inf")
    for step, loss in enumerate((4.0, 1.0, 5.0, 0.5, 0.5)):
        average = loss if step == 0 else 0.8 * average + 0.2 * loss
        best = min(best, average)
        found = ideal(torch.tensor([loss], dtype=torch.float64))
        assert found.item() == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("cls", CLASSES)
def test_a_given_ideal_point_stays(cls: Make) -> None:
    scalarize = cls(weights=(0.5, 2.0), ideal=[0.25, 0.0], margin=0.0)
    for values in ((1.25, 0.5), (-3.0, -1.0), (1.25, 0.5)):
        combined = scalarize(torch.tensor(values), torch.eye(2))
        torch.testing.assert_close(
            combined.distances, torch.tensor([0.5 * (values[0] - 0.25), 2.0 * values[1]])
        )


@pytest.mark.parametrize("ideal", [[0.1], [0.1, 0.2, 0.3], [0.1, float("nan")], "worst"])
def test_refuses_an_ideal_point_of_another_kind(ideal: IdealRule) -> None:
    with pytest.raises(ValueError, match=r"`ideal` must be .*; found"):
        IdealPoint(2, ideal)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("cls", CLASSES)
def test_state_survives_a_checkpoint_and_reset_forgets_it(cls: Make, normalize: bool) -> None:
    whole, resumed = (cls(ideal="ema_best", normalize=normalize) for _ in range(2))
    for _ in range(3):
        whole(torch.rand(2), torch.randn(2, 4))
    resumed.load_state_dict(through_disk(whole))
    values, gradients = torch.rand(2), torch.randn(2, 4)
    assert_same(whole(values, gradients), resumed(values, gradients))
    whole.reset()
    fresh = cls(ideal="ema_best", normalize=normalize)
    assert_same(whole(values, gradients), fresh(values, gradients))


def assert_same(first: Scalarized, second: Scalarized) -> None:
    for name, tensor in vars(first).items():
        assert torch.equal(tensor, getattr(second, name)), name


@pytest.mark.parametrize("cls", CLASSES)
def test_adds_nothing_to_the_graph_and_keeps_its_inputs(cls: Make) -> None:
    values = torch.rand(2, requires_grad=True)
    gradients = torch.randn(2, 4)
    before = values.detach().clone(), gradients.clone()
    combined = cls(normalize=True)(values, gradients)
    assert not combined.gradient.requires_grad
    assert not combined.value.requires_grad
    assert torch.equal(values, before[0])
    assert torch.equal(gradients, before[1])


@pytest.mark.parametrize("cls", CLASSES)
def test_refuses_what_is_not_finite_and_forgets_it(cls: Make) -> None:
    scalarize = cls()
    with pytest.raises(ValueError, match=r"found objective 1 with value nan and a .* is finite"):
        scalarize(torch.tensor([1.0, torch.nan]), torch.eye(2))
    with pytest.raises(ValueError, match=r"objective 0 with value 1\.0 and .* is not finite"):
        scalarize(torch.ones(2), torch.tensor([[torch.inf], [1.0]]))
    assert scalarize(torch.ones(2), torch.eye(2)).value.isfinite()


@pytest.mark.parametrize(
    ("values", "gradients", "message"),
    [
        (torch.ones(3), torch.ones(2, 4), r"`values` must be \(2,\).*found \(3,\)"),
        (torch.ones(2), torch.ones(3, 4), r"`gradients` must be \(2, P\); found \(3, 4\)"),
        (torch.ones(2), torch.ones(2), r"`gradients` must be \(2, P\); found \(2,\)"),
    ],
)
def test_refuses_shapes(values: torch.Tensor, gradients: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AugmentedTchebycheff()(values, gradients)


@pytest.mark.parametrize(
    "arguments",
    [
        {"weights": (1.0,)},
        {"weights": (0.5, -0.5)},
        {"weights": (0.5, float("nan"))},
        {"augmentation": -1e-4},
        {"margin": -0.1},
        {"ideal": "worst"},
        {"ema_decay": 1.0},
    ],
)
def test_refuses(arguments: dict[str, object]) -> None:
    (name,) = arguments
    with pytest.raises(ValueError, match=f"`{name}` must be .*; found"):
        AugmentedTchebycheff(**arguments)  # type: ignore[arg-type]  # wrong on purpose


# Gradient, value, active objective.
PINNED = {
    "WeightedSum": [0.75, 1.0, 2.95, 0],
    "Tchebycheff": [0.25, 2.0, 0.63, 1],
    "AugmentedTchebycheff": [0.250075, 2.0001, 0.630295, 1],
}


@pytest.mark.parametrize("cls", CLASSES)
def test_pinned_values_of_the_second_step(cls: Make) -> None:
    scalarize = cls()
    scalarize(torch.tensor([4.0, 0.6]), torch.zeros(2, 2))
    combined = scalarize(torch.tensor([4.1, 1.8]), torch.tensor([[1.0, -2.0], [0.5, 4.0]]))
    found = [*combined.gradient.tolist(), combined.value.item(), float(combined.active)]
    assert found == pytest.approx(PINNED[cls.__name__], abs=1e-6)
