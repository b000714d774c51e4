"""Signs are enumerated, so that the estimate's mean has no statistical tolerance."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from blackbox_anon.estimators import ActiveSubspaceSPSA, BlackBoxProblem, CriticalHistory
from blackbox_anon.estimators import active_subspace_spsa as source
from blackbox_anon.estimators.active_subspace_spsa import leading_directions
from tests import properties
from tests.estimators.test_output_space_spsa import failing, problem

THETA = torch.linspace(-0.5, 0.5, 7, dtype=torch.float64)
Make = Callable[..., ActiveSubspaceSPSA]


def linear(batch: int, *size: int, rank: int = 7) -> BlackBoxProblem:
    """Frames that are linear in the parameters through ``rank`` directions, quadratic losses."""
    generator = torch.Generator().manual_seed(3)
    pixels = batch * torch.Size(size).numel()
    first = torch.randn(pixels, rank, generator=generator, dtype=torch.float64)
    second = torch.randn(rank, 7, generator=generator, dtype=torch.float64)
    posed = problem(batch, *size)

    def anonymize(theta: Tensor) -> Tensor:
        return 0.5 + 0.01 * (first @ (second @ theta)).view(batch, *size)

    return replace(posed, anonymize=anonymize)


def exact_gradient(posed: BlackBoxProblem) -> Tensor:
    theta = THETA.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(posed.losses(posed.anonymize(theta)).mean(), theta)
    return gradient


def mean_over_all_signs(
    posed: BlackBoxProblem, rank: int, batch: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[Tensor, Tensor]:
    """The mean estimate over all signs, and the subspace's directions."""
    total = torch.zeros_like(THETA)
    signs = list(itertools.product((-1.0, 1.0), repeat=batch * rank))
    for row in signs:
        monkeypatch.setattr(
            source,
            "rademacher",
            lambda size, seed, step, row=row: torch.tensor(row),  # noqa: ARG005  # its signature
        )
        estimator = ActiveSubspaceSPSA(0.01, rank=rank, sketches=8)
        estimator.allocate(7)
        total += estimator.double()(THETA, posed).gradient
    directions, _ = leading_directions(estimator.projections, rank)
    return total / len(signs), directions


@pytest.mark.parametrize("size", [(3, 2, 2), (2, 3, 2, 2)])
def test_exact_where_the_subspace_is_all_there_is(
    size: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    posed = linear(2, *size, rank=3)
    found, _ = mean_over_all_signs(posed, 3, 2, monkeypatch)
    torch.testing.assert_close(found, exact_gradient(posed), rtol=1e-6, atol=1e-9)


def test_otherwise_the_gradients_projection(monkeypatch: pytest.MonkeyPatch) -> None:
    posed = linear(2, 3, 2, 2)
    found, directions = mean_over_all_signs(posed, 2, 2, monkeypatch)
    expected = directions.T @ (directions @ exact_gradient(posed))
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)
    assert not torch.allclose(found, exact_gradient(posed))


def test_the_subspace_is_the_jacobians() -> None:
    """With many projections the leading directions are those of a dense SVD."""
    posed = linear(2, 3, 4, 4)
    estimator = ActiveSubspaceSPSA(rank=2, sketches=2000)
    estimator.allocate(7)
    estimator.double()(THETA, posed)
    found, _ = leading_directions(estimator.projections, 2)
    jacobian = torch.autograd.functional.jacobian(posed.anonymize, THETA).flatten(0, -2)
    _, _, rows = torch.linalg.svd(jacobian, full_matrices=False)
    assert torch.linalg.svdvals(found @ rows[:2].T).min() > 0.99


def test_shifts_have_the_stated_size_and_stay_in_range() -> None:
    seen: list[Tensor] = []
    base = problem(2, 3, 4, 4)

    def losses(frames: Tensor) -> Tensor:
        seen.append(frames)
        return frames.flatten(1).sum(1)

    estimator = make_plain()
    estimator(THETA, replace(linear(2, 3, 4, 4), losses=losses))
    up, down = seen[0].chunk(2)
    size = ((up - down) / 2).flatten(1).square().mean(1).sqrt()
    torch.testing.assert_close(size, torch.full_like(size, 0.02))
    edge = replace(base, anonymize=lambda t: (base.anonymize(t) - 0.4).clamp(0, 1), losses=losses)
    make_plain()(THETA, edge)
    up, down = seen[1].chunk(2)
    assert seen[1].min() >= 0
    torch.testing.assert_close((up + down) / 2, edge.anonymize(THETA))


def make_plain(seed: int = 0) -> ActiveSubspaceSPSA:
    estimator = ActiveSubspaceSPSA(rank=3, sketches=4, seed=seed)
    estimator.allocate(7)
    return estimator.double()


def make_with_history(seed: int = 0) -> ActiveSubspaceSPSA:
    history = CriticalHistory(0, capacity=3)
    estimator = ActiveSubspaceSPSA(rank=3, sketches=4, renewed=2, seed=seed, history=history)
    estimator.allocate(7)
    return estimator.double()


@pytest.mark.parametrize("make", [make_plain, make_with_history])
@pytest.mark.parametrize(
    "check",
    [
        properties.assert_adds_nothing_to_graph,
        properties.assert_leaves_theta_unchanged,
        properties.assert_continues_identically,
        properties.assert_reset_restarts,
        properties.assert_failed_query_can_be_retried,
    ],
)
@pytest.mark.parametrize("shape", [(3, 8, 6), (2, 3, 8, 6)])
def test_property(
    make: Make,
    check: Callable[[Make, Tensor, BlackBoxProblem], None],
    shape: tuple[int, ...],
) -> None:
    check(make, THETA.clone(), problem(3, *shape))


def test_spends_two_queries_per_sample() -> None:
    properties.assert_spends_exactly(make_plain, THETA, problem(5, 3, 8, 6), queries=10)


def test_dead_pairs_are_counted_and_not_stored() -> None:
    estimator, posed = make_with_history(), problem(3, 3, 4, 4)
    estimator(THETA, posed)
    assert estimator.history is not None
    count = estimator.history.count.clone()
    estimate = estimator(THETA, replace(posed, losses=lambda frames: frames.new_ones(len(frames))))
    assert not estimate.gradient.any()
    assert estimate.logs["dead_pairs"] == 1
    assert estimator.history.count == count


def test_a_pair_with_a_failed_half_is_dropped_whole() -> None:
    posed = problem(3, 3, 4, 4)
    silent = replace(
        posed,
        losses=lambda frames: posed.losses(frames) * torch.tensor([1.0, 1.0, 0.0]).repeat(2),
    )
    expected = make_plain()(THETA, silent)
    found = make_plain()(THETA, failing(posed, 5))
    torch.testing.assert_close(found.gradient, expected.gradient * 3 / 2)
    assert found.queries == 6


def test_samples_may_be_anonymized_one_by_one() -> None:
    """The quick way and the slow one give the same estimate."""
    posed, calls = problem(3, 3, 4, 4), []

    def each(thetas: Tensor) -> Tensor:
        calls.append(thetas.shape)
        return torch.cat([posed.anonymize(theta)[i : i + 1] for i, theta in enumerate(thetas)])

    quick = make_plain()(THETA, replace(posed, anonymize_each=each))
    properties.assert_same_estimates(make_plain()(THETA, posed), quick)
    assert calls == [(3, 7)]


def test_projections_are_renewed_one_after_the_other() -> None:
    estimator, posed, seen = make_plain(), problem(2, 3, 4, 4), []
    for _ in range(6):
        estimator(THETA, posed)
        seen.append(estimator.projections.clone())
    changed = [(a != b).any(1).nonzero().flatten().tolist() for a, b in itertools.pairwise(seen)]
    assert changed == [[0], [1], [2], [3], [0]]


def test_leading_directions_of_few_vectors() -> None:
    directions, share = leading_directions(torch.tensor([[3.0, 4.0], [6.0, 8.0]]), 2)
    norms = directions.norm(dim=1)
    torch.testing.assert_close(norms.sort().values, torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(share, torch.tensor(1.0))


def test_buffers_keep_their_size() -> None:
    estimator = make_plain()
    estimator.allocate(7)
    with pytest.raises(ValueError, match="`num_parameters` must stay 7; found 8"):
        estimator.allocate(8)
    with pytest.raises(ValueError, match="`rank` must be at most the 4 parameters; found 8"):
        ActiveSubspaceSPSA().allocate(4)
    with pytest.raises(ValueError, match="call `allocate"):
        ActiveSubspaceSPSA()(THETA, problem(2, 3, 4, 4))


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("amplitude", 0.0),
        ("amplitude", 0.5),
        ("rank", 0),
        ("rank", 33),
        ("renewed", -1),
        ("seed", -1),
    ],
)
def test_refuses(argument: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"`{argument}` must be .*; found {value}"):
        ActiveSubspaceSPSA(**{argument: value})  # type: ignore[arg-type]  # wrong on purpose
