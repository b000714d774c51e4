"""What each estimator's first estimate is on average, for losses that are quadratic.

All signs are enumerated, so that the mean has no statistical tolerance. SPSA-GC draws magnitudes
too, from a continuum: with :math:`L(+) - L(-) = 2 r\\, g \\cdot \\delta`, its entry ``i`` is
:math:`g_i + \\sum_{j \\ne i} g_j \\delta_j / \\delta_i`, and the mean over independent signs of the
second part is zero whatever the magnitudes. So enumerating the signs at some magnitudes is enough,
together with :func:`test_segmented_uniform_has_independent_fair_signs`.

:class:`SeparableCMAES` estimates no gradient; its move has the properties of ``test_evolution``.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from blackbox_anon.estimators import (
    SPSA,
    SPSAGC,
    AbstractEstimator,
    ActiveSubspaceSPSA,
    BlackBoxProblem,
    CriticalHistorySPSA,
    OutputSpaceSPSA,
    PolicyGradient,
    SampleSPSA,
)
from blackbox_anon.estimators.functional import axis_basis, segmented_uniform
from blackbox_anon.estimators.sketches import leading_directions
from tests.estimators.enumeration import Drawn, mean_of_copies, mean_over_all_signs
from tests.estimators.problems import (
    exact_gradient,
    linear_problem,
    quadratic_problem,
    smooth_problem,
)
from tests.estimators.small import SEVEN, THETA

Allocated = Callable[[], AbstractEstimator]
MAGNITUDES = segmented_uniform(6, seed=0, step=1).double().abs()


def make_gc() -> SPSAGC:
    estimator = SPSAGC(0.1, num_directions=1, momentum=0.0)
    estimator.allocate(6)
    return estimator.double()


def make_critical() -> CriticalHistorySPSA:
    """Its first estimate has no past to be mixed with; the step indicator is left out."""
    estimator = CriticalHistorySPSA(0.1, use_step_size=False)
    estimator.allocate(6)
    return estimator.double()


@pytest.mark.parametrize(
    ("make", "drawn", "batch", "theta"),
    [
        (lambda: SPSA(0.1), Drawn("spsa.rademacher", 6), 4, THETA),
        (make_critical, Drawn("spsa.rademacher", 6), 4, THETA),
        (make_gc, Drawn("spsa_gc.segmented_uniform", 6, MAGNITUDES), 4, THETA),
        (lambda: SampleSPSA(0.1), Drawn("sample_spsa.rademacher", 6), 2, THETA[:3]),
        (lambda: PolicyGradient(0.05), Drawn("policy_gradient.gaussian", 6), 1, THETA[:3]),
    ],
    ids=["spsa", "critical", "gc", "sample", "policy"],
)
def test_the_gradient_itself(
    make: Allocated, drawn: Drawn, batch: int, theta: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Noise of signs stands for the policy's normal noise: its odd moments vanish too."""
    problem = quadratic_problem(batch, len(theta))
    found = mean_over_all_signs(make, drawn, theta, problem, monkeypatch)
    torch.testing.assert_close(found, exact_gradient(problem, theta), rtol=0, atol=1e-9)


def test_segmented_uniform_has_independent_fair_signs() -> None:
    drawn = segmented_uniform(200_000, seed=0, step=1).double()
    assert drawn.abs().min() >= 0.5
    assert drawn.abs().max() <= 1
    torch.testing.assert_close(drawn.mean().item(), 0.0, atol=0.01, rtol=0)
    torch.testing.assert_close(drawn.square().mean().item(), 7 / 12, atol=0.01, rtol=0)
    first, second = drawn.view(2, -1)
    assert (
        torch.corrcoef(torch.stack([first.sign(), second.sign(), first.abs()]))
        .sub(torch.eye(3, dtype=torch.float64))
        .abs()
        .max()
        < 0.02
    )


def as_it_is(gradient: Tensor) -> Tensor:
    return gradient


def mean_of_frames(gradient: Tensor) -> Tensor:
    return gradient.mean(1, keepdim=True).expand_as(gradient)


def smoothed(gradient: Tensor) -> Tensor:
    """By a bilinear upsampling as a matrix, ``(H * W, grid ** 2)``, one column per cell."""
    cells = torch.eye(4, dtype=torch.float64).view(-1, 1, 2, 2)
    columns = interpolate(cells, (6, 4), mode="bilinear").flatten(1).T
    kernel = columns @ columns.T / (6 * 4 / 4)
    ones = torch.ones(24, dtype=torch.float64)
    torch.testing.assert_close(kernel.sum(1), ones)  # keeps constants
    return (gradient.flatten(2) @ kernel.T).view_as(gradient)


def of_low_frequency(gradient: Tensor) -> Tensor:
    rows, columns = (axis_basis("cosine", 2, size) for size in (6, 4))
    basis = torch.einsum("hk,wl->hwkl", rows, columns).reshape(24, 4) / 24**0.5
    torch.testing.assert_close(basis.T @ basis, torch.eye(4, dtype=torch.float64))
    return (gradient.flatten(2) @ basis @ basis.T).view_as(gradient)


def output(grid: int, **chosen: object) -> Allocated:
    return lambda: OutputSpaceSPSA(0.05, grid=grid, **chosen)  # type: ignore[arg-type]  # as given


@pytest.mark.parametrize(
    ("make", "signs", "shape", "kept"),
    [
        (output(2), 12, (1, 3, 2, 2), as_it_is),
        (output(1, share_frames=False), 9, (1, 3, 3, 1, 1), as_it_is),
        (output(2), 12, (1, 3, 3, 2, 2), mean_of_frames),
        (output(2), 12, (1, 3, 6, 4), smoothed),
        (output(2, basis="cosine"), 12, (1, 3, 6, 4), of_low_frequency),
    ],
    ids=["cells-are-pixels", "own-frames", "shared-frames", "coarse", "cosines"],
)
def test_what_a_basis_of_the_output_keeps(
    make: Allocated,
    signs: int,
    shape: tuple[int, ...],
    kept: Callable[[Tensor], Tensor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of the gradient in the frames, pulled back through the anonymizer."""
    problem = smooth_problem(*shape)
    frames = problem.anonymize(SEVEN).requires_grad_()
    (gradient,) = torch.autograd.grad(problem.losses(frames).mean(), frames)
    _, expected = torch.autograd.functional.vjp(problem.anonymize, SEVEN, kept(gradient))
    drawn = Drawn("output_space_spsa.rademacher", signs)
    found = mean_of_copies(make, drawn, SEVEN, problem, monkeypatch)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


def test_samples_answer_for_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    problem, drawn = smooth_problem(2, 3, 1, 1), Drawn("output_space_spsa.rademacher", 6)
    found = mean_over_all_signs(output(1), drawn, SEVEN, problem, monkeypatch)
    torch.testing.assert_close(found, exact_gradient(problem, SEVEN), rtol=0, atol=1e-10)


def mean_in_subspace(
    problem: BlackBoxProblem, rank: int, monkeypatch: pytest.MonkeyPatch, group_size: int = 1
) -> tuple[Tensor, Tensor]:
    """The mean estimate for a batch of two, and the subspace's directions."""
    made: list[ActiveSubspaceSPSA] = []

    def make() -> ActiveSubspaceSPSA:
        estimator = ActiveSubspaceSPSA(0.01, rank=rank, sketches=8, group_size=group_size)
        estimator.allocate(7)
        made.append(estimator.double())
        return made[-1]

    drawn = Drawn("active_subspace_spsa.rademacher", 2 // group_size * rank)
    found = mean_over_all_signs(make, drawn, SEVEN, problem, monkeypatch)
    directions, _ = leading_directions(made[-1].projections, rank)
    return found, directions


@pytest.mark.parametrize("size", [(3, 2, 2), (2, 3, 2, 2)])
def test_the_gradient_where_the_subspace_is_all_there_is(
    size: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = linear_problem(2, *size, rank=3)
    found, _ = mean_in_subspace(problem, 3, monkeypatch)
    torch.testing.assert_close(found, exact_gradient(problem, SEVEN), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("group_size", [1, 2])
def test_otherwise_its_projection(group_size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = linear_problem(2, 3, 2, 2)
    found, directions = mean_in_subspace(problem, 2, monkeypatch, group_size)
    gradient = exact_gradient(problem, SEVEN)
    expected = directions.T @ (directions @ gradient)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)
    assert not torch.allclose(found, gradient)
