"""The subspace, the shifts along it, and its renewal."""

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from blackbox_anon.estimators import ActiveSubspaceSPSA, BlackBoxProblem, CriticalHistory
from blackbox_anon.estimators.sketches import leading_directions
from tests import properties
from tests.estimators.cases import make_active
from tests.estimators.problems import linear_problem, smooth_problem
from tests.estimators.small import SEVEN


def test_the_subspace_is_the_jacobians() -> None:
    """With many projections the leading directions are those of a dense SVD."""
    posed = linear_problem(2, 3, 4, 4)
    estimator = ActiveSubspaceSPSA(rank=2, sketches=2000)
    estimator.allocate(7)
    estimator.double()(SEVEN, posed)
    found, _ = leading_directions(estimator.projections, 2)
    jacobian = torch.autograd.functional.jacobian(posed.anonymize, SEVEN).flatten(0, -2)
    _, _, rows = torch.linalg.svd(jacobian, full_matrices=False)
    assert torch.linalg.svdvals(found @ rows[:2].T).min() > 0.99


@pytest.mark.parametrize("share", [1.0, 0.5])
@pytest.mark.parametrize("size", [(3, 8, 6), (2, 3, 8, 6)])
def test_a_sketch_of_changes_looks_where_something_was_changed(
    size: tuple[int, ...], share: float
) -> None:
    """Each parameter has a row of pixels of its own; two rows differ from the raw frames."""

    def anonymize(theta: Tensor) -> Tensor:
        rows = torch.cat([0.5 + 0.1 * theta, theta.new_full((1,), 0.5)])
        return rows.view(8, 1).expand(4, *size).clone()

    frames = anonymize(SEVEN)
    raw = frames.clone()
    raw[..., [1, 4], :] -= 0.2
    posed = BlackBoxProblem(
        anonymize=anonymize, losses=lambda shown: shown.flatten(1).sum(1), raw=raw
    )
    estimator = make_active(sketch="changes", sketched_share=share)
    estimate = estimator(SEVEN, posed)
    lengths = estimator.projections.square().sum(0).sqrt()
    assert (lengths[[1, 4]] > 0.01).all()
    assert not lengths[[0, 2, 3, 5, 6]].any()
    assert (estimate.gradient != 0).tolist() == [i in (1, 4) for i in range(7)]
    untouched = make_active(sketch="changes")(SEVEN, replace(posed, raw=frames))
    assert not untouched.gradient.any(), "nothing was changed: nothing to search along"


def test_a_sketch_of_changes_needs_raw_frames() -> None:
    with pytest.raises(ValueError, match=r"`problem\.raw` must be the frames"):
        make_active(sketch="changes")(SEVEN, smooth_problem(2, 3, 4, 4))
    with pytest.raises(ValueError, match="`sketch` must be one of noise, changes"):
        make_active(sketch="edges")


def test_shifts_have_the_stated_size_and_stay_in_range() -> None:
    seen: list[Tensor] = []
    base = smooth_problem(2, 3, 4, 4)

    def losses(frames: Tensor) -> Tensor:
        seen.append(frames)
        return frames.flatten(1).sum(1)

    estimator = make_active()
    estimator(SEVEN, replace(linear_problem(2, 3, 4, 4), losses=losses))
    up, down = seen[0].chunk(2)
    size = ((up - down) / 2).flatten(1).square().mean(1).sqrt()
    torch.testing.assert_close(size, torch.full_like(size, 0.02))
    edge = replace(base, anonymize=lambda t: (base.anonymize(t) - 0.4).clamp(0, 1), losses=losses)
    make_active()(SEVEN, edge)
    up, down = seen[1].chunk(2)
    assert seen[1].min() >= 0
    torch.testing.assert_close((up + down) / 2, edge.anonymize(SEVEN))


def test_dead_pairs_are_counted_and_not_stored() -> None:
    estimator, posed = (
        make_active(renewed=2, history=CriticalHistory(0, capacity=3)),
        smooth_problem(3, 3, 4, 4),
    )
    estimator(SEVEN, posed)
    assert estimator.history is not None
    count = estimator.history.count.clone()
    estimate = estimator(SEVEN, replace(posed, losses=lambda frames: frames.new_ones(len(frames))))
    assert not estimate.gradient.any()
    assert estimate.logs["dead_pairs"] == 1
    assert estimator.history.count == count


def test_samples_may_be_anonymized_one_by_one() -> None:
    """The quick way and the slow one give the same estimate."""
    posed, calls = smooth_problem(3, 3, 4, 4), []

    def each(thetas: Tensor) -> Tensor:
        calls.append(thetas.shape)
        return torch.cat([posed.anonymize(theta)[i : i + 1] for i, theta in enumerate(thetas)])

    quick = make_active()(SEVEN, replace(posed, anonymize_each=each))
    properties.assert_same_estimates(make_active()(SEVEN, posed), quick)
    assert calls == [(3, 7)]


def test_neighbours_may_share_a_combination() -> None:
    """Shifts of a group are one combination's; a whole batch in groups of one is the default."""
    posed, asked = smooth_problem(5, 3, 4, 4), []

    def some(theta: Tensor, chosen: Tensor) -> Tensor:
        asked.append((theta.tolist(), chosen.tolist()))
        return posed.anonymize(theta)[chosen]

    found = make_active(group_size=2)(SEVEN, replace(posed, anonymize_some=some))
    thetas, groups = zip(*asked, strict=True)
    assert list(groups) == [[0, 1], [2, 3], [4]]
    assert len(set(map(tuple, thetas))) > 1
    assert found.queries == 10
    properties.assert_same_estimates(make_active(group_size=2)(SEVEN, posed), found)
    properties.assert_same_estimates(
        make_active()(SEVEN, posed), make_active(group_size=1)(SEVEN, posed)
    )


def test_a_share_of_the_samples_is_sketched_in_turn() -> None:
    """Projections are of the chosen samples' frames; the estimate itself is of all."""
    posed, asked = smooth_problem(4, 3, 4, 4), []

    def some(theta: Tensor, chosen: Tensor) -> Tensor:
        asked.append(chosen.tolist())
        return posed.anonymize(theta)[chosen]

    quick = make_active(sketched_share=0.5)
    slow = make_active(sketched_share=0.5)
    for _ in range(2):
        found = quick(SEVEN, replace(posed, anonymize_some=some))
        properties.assert_same_estimates(slow(SEVEN, posed), found)
        assert found.queries == 8
    assert asked == [[2, 3], [0, 1]]
    (jacobian,) = (torch.autograd.functional.jacobian(lambda t: posed.anonymize(t)[:2], SEVEN),)
    rows = jacobian.flatten(0, -2)
    newest = quick.projections[0]
    inside = rows.T @ torch.linalg.lstsq(rows.T, newest.unsqueeze(1)).solution
    torch.testing.assert_close(inside.squeeze(1), newest, rtol=1e-3, atol=1e-4)


def test_projections_are_renewed_one_after_the_other() -> None:
    estimator, posed, seen = make_active(), smooth_problem(2, 3, 4, 4), []
    for _ in range(6):
        estimator(SEVEN, posed)
        seen.append(estimator.projections.clone())
    changed = [(a != b).any(1).nonzero().flatten().tolist() for a, b in itertools.pairwise(seen)]
    assert changed == [[0], [1], [2], [3], [0]]


def test_leading_directions_of_few_vectors() -> None:
    directions, share = leading_directions(torch.tensor([[3.0, 4.0], [6.0, 8.0]]), 2)
    norms = directions.norm(dim=1)
    torch.testing.assert_close(norms.sort().values, torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(share, torch.tensor(1.0))
