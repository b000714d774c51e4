"""Patterns are enumerated, so that the estimate's mean has no statistical tolerance."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from blackbox_anon.estimators import BlackBoxProblem, CriticalHistory, OutputSpaceSPSA
from blackbox_anon.estimators import output_space_spsa as source
from blackbox_anon.estimators.functional import Basis, axis_basis, rademacher
from tests import properties

THETA = torch.linspace(-0.5, 0.5, 7, dtype=torch.float64)
Make = Callable[..., OutputSpaceSPSA]


def problem(batch: int, *size: int, batch_seed: int = 0) -> BlackBoxProblem:
    """Smooth frames around one half; the loss is quadratic in them, another one per sample."""
    generator = torch.Generator().manual_seed(batch_seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    pixels = batch * torch.Size(size).numel()
    mixing, slope, curvature = draw(pixels, 7), draw(batch, *size), draw(batch, *size).abs()

    def anonymize(theta: Tensor) -> Tensor:
        return 0.5 + 0.1 * torch.tanh(mixing @ theta).reshape(batch, *size)

    def losses(frames: Tensor) -> Tensor:
        times = len(frames) // batch
        first, second = (
            slope.repeat(times, *[1] * len(size)),
            curvature.repeat(times, *[1] * len(size)),
        )
        return (first * frames + second * frames**2).flatten(1).sum(1)

    return BlackBoxProblem(anonymize=anonymize, losses=losses)


def frame_gradient(posed: BlackBoxProblem) -> tuple[Tensor, Tensor]:
    """Frames at THETA with a graph, their theta, and the exact gradient of each sample's loss."""
    frames = posed.anonymize(THETA).requires_grad_()
    (gradient,) = torch.autograd.grad(posed.losses(frames).sum(), frames)
    return frames.detach(), gradient


def pulled_back(posed: BlackBoxProblem, vector: Tensor) -> Tensor:
    _, gradient = torch.autograd.functional.vjp(posed.anonymize, THETA, vector / len(vector))
    return gradient  # type: ignore[no-any-return]  # one input, one tensor


def mean_over_all_patterns(
    posed: BlackBoxProblem,
    grid: int,
    batch: int,
    monkeypatch: pytest.MonkeyPatch,
    *,
    basis: Basis = "grid",
    share_frames: bool = True,
    frames: int = 1,
) -> Tensor:
    size = batch * (1 if share_frames else frames) * 3 * grid**2
    signs = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=size)))
    estimator = OutputSpaceSPSA(0.05, basis=basis, grid=grid, share_frames=share_frames)
    total = torch.zeros_like(THETA)
    for row in signs:
        monkeypatch.setattr(source, "rademacher", lambda size, seed, step, row=row: row)  # noqa: ARG005  # its signature
        total += estimator(THETA, posed).gradient
    return total / len(signs)


def basis(grid: int, height: int, width: int) -> Tensor:
    """The upsampling as a matrix, ``(H * W, grid ** 2)``, one column per cell."""
    cells = torch.eye(grid**2, dtype=torch.float64).view(-1, 1, grid, grid)
    return interpolate(cells, (height, width), mode="bilinear").flatten(1).T


def test_exact_where_cells_are_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    posed = problem(1, 3, 2, 2)
    _, gradient = frame_gradient(posed)
    found = mean_over_all_patterns(posed, 2, 1, monkeypatch)
    torch.testing.assert_close(found, pulled_back(posed, gradient), rtol=0, atol=1e-10)


def test_samples_answer_for_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    posed = problem(2, 3, 1, 1)
    _, gradient = frame_gradient(posed)
    found = mean_over_all_patterns(posed, 1, 2, monkeypatch)
    torch.testing.assert_close(found, pulled_back(posed, gradient), rtol=0, atol=1e-10)


def test_a_clip_shares_the_mean_gradient_of_its_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    posed = problem(1, 3, 3, 2, 2)
    _, gradient = frame_gradient(posed)
    shared = gradient.mean(1, keepdim=True).expand_as(gradient)
    found = mean_over_all_patterns(posed, 2, 1, monkeypatch)
    torch.testing.assert_close(found, pulled_back(posed, shared), rtol=0, atol=1e-10)


def test_a_coarse_grid_smooths_the_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    posed = problem(1, 3, 6, 4)
    _, gradient = frame_gradient(posed)
    columns = basis(2, 6, 4)
    smooth = columns @ columns.T / (6 * 4 / 4)
    torch.testing.assert_close(
        smooth.sum(1), torch.ones(24, dtype=torch.float64)
    )  # keeps constants
    vector = (gradient.flatten(2) @ smooth.T).view_as(gradient)
    found = mean_over_all_patterns(posed, 2, 1, monkeypatch)
    torch.testing.assert_close(found, pulled_back(posed, vector), rtol=0, atol=1e-10)


def test_cosines_project_on_low_frequencies(monkeypatch: pytest.MonkeyPatch) -> None:
    posed = problem(1, 3, 6, 4)
    _, gradient = frame_gradient(posed)
    rows, columns = (axis_basis("cosine", 2, size) for size in (6, 4))
    columns = torch.einsum("hk,wl->hwkl", rows, columns).reshape(24, 4) / 24**0.5
    torch.testing.assert_close(columns.T @ columns, torch.eye(4, dtype=torch.float64))
    vector = (gradient.flatten(2) @ columns @ columns.T).view_as(gradient)
    found = mean_over_all_patterns(posed, 2, 1, monkeypatch, basis="cosine")
    torch.testing.assert_close(found, pulled_back(posed, vector), rtol=0, atol=1e-10)


def test_frames_may_have_patterns_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    posed = problem(1, 3, 3, 1, 1)
    _, gradient = frame_gradient(posed)
    found = mean_over_all_patterns(posed, 1, 1, monkeypatch, share_frames=False, frames=3)
    torch.testing.assert_close(found, pulled_back(posed, gradient), rtol=0, atol=1e-10)


def test_several_patterns_are_averaged(monkeypatch: pytest.MonkeyPatch) -> None:
    posed, drawn = problem(2, 3, 4, 4), rademacher(2 * 2 * 12, 0, 1)
    estimates = []
    for part in drawn.chunk(2):
        monkeypatch.setattr(source, "rademacher", lambda size, seed, step, part=part: part)  # noqa: ARG005  # its signature
        estimates.append(OutputSpaceSPSA(0.05, grid=2)(THETA, posed).gradient)
    monkeypatch.setattr(source, "rademacher", lambda size, seed, step: drawn)  # noqa: ARG005  # its signature
    found = OutputSpaceSPSA(0.05, grid=2, num_patterns=2)(THETA, posed)
    torch.testing.assert_close(found.gradient, sum(estimates) / 2, rtol=0, atol=1e-12)
    assert found.queries == 8


def make_plain(seed: int = 0) -> OutputSpaceSPSA:
    return OutputSpaceSPSA(0.05, grid=2, seed=seed).double()


def make_with_history(seed: int = 0) -> OutputSpaceSPSA:
    history = CriticalHistory(0, capacity=3)
    estimator = OutputSpaceSPSA(0.05, grid=2, seed=seed, history=history)
    estimator.allocate(7)
    return estimator.double()


@pytest.fixture(params=[make_plain, make_with_history], ids=["plain", "history"])
def make(request: pytest.FixtureRequest) -> Make:
    factory: Make = request.param
    return factory


@pytest.mark.parametrize(
    "check",
    [
        properties.assert_adds_nothing_to_graph,
        properties.assert_leaves_theta_unchanged,
        properties.assert_continues_identically,
        properties.assert_reset_restarts,
        properties.assert_dead_pair_gives_zero,
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


def test_spends_two_queries_per_sample(make: Make) -> None:
    properties.assert_spends_exactly(make, THETA, problem(5, 3, 8, 6), queries=10)


def test_patterns_follow_seed_and_step(make: Make) -> None:
    def asked(seed: int, steps: int = 2) -> list[Tensor]:
        posed, seen = problem(2, 3, 4, 4), []

        def losses(frames: Tensor) -> Tensor:
            seen.append(frames.clone())
            return posed.losses(frames)

        estimator = make(seed)
        for _ in range(steps):
            estimator(THETA, replace(posed, losses=losses))
        return seen

    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = asked(0)
    assert torch.equal(torch.get_rng_state(), state), "the global generator was used"
    torch.manual_seed(2)
    assert all(torch.equal(a, b) for a, b in zip(first, asked(0), strict=True))
    assert not torch.equal(first[0], first[1]), "two steps share a pattern"
    assert not torch.equal(first[0], asked(1)[0]), "two seeds share a pattern"
    shift = first[0][:2] - first[0][2:]
    assert not torch.equal(shift[0], shift[1]), "two samples share a pattern"


def test_saturated_frames_are_shifted_on_both_sides() -> None:
    black_and_white = (
        torch.tensor([0.0, 1.0], dtype=torch.float64).view(2, 1, 1, 1).expand(2, 3, 4, 4)
    )
    seen: list[Tensor] = []

    def losses(frames: Tensor) -> Tensor:
        seen.append(frames)
        return frames.flatten(1).sum(1)

    posed = BlackBoxProblem(anonymize=lambda t: black_and_white + 0 * t.sum(), losses=losses)
    OutputSpaceSPSA(0.1, grid=4)(THETA, posed)
    up, down = seen[0].chunk(2)
    assert seen[0].min() >= 0
    assert seen[0].max() <= 1
    torch.testing.assert_close((up - down).abs(), torch.full_like(up, 0.2))
    torch.testing.assert_close((up + down) / 2, black_and_white.clamp(0.1, 0.9))


def failing(posed: BlackBoxProblem, *positions: int) -> BlackBoxProblem:
    """The same problem, where the questions at these positions got no answer."""

    def losses(frames: Tensor) -> Tensor:
        found = posed.losses(frames).clone()
        found[list(positions)] = torch.nan
        return found

    return replace(posed, losses=losses)


def test_a_pair_with_a_failed_half_is_dropped_whole() -> None:
    posed = problem(3, 3, 4, 4)
    whole = make_plain()(THETA, posed)
    first_two = replace(
        posed,
        losses=lambda frames: posed.losses(frames) * torch.tensor([1.0, 1.0, 0.0]).repeat(2),
    )
    expected = make_plain()(THETA, first_two)
    for positions in ((2,), (5,), (2, 5)):
        found = make_plain()(THETA, failing(posed, *positions))
        torch.testing.assert_close(found.gradient, expected.gradient * 3 / 2)
        torch.testing.assert_close(found.loss, expected.loss * 3 / 2)
        torch.testing.assert_close(found.logs["dropped_share"].item(), 1 / 3)
        assert found.queries == whole.queries == 6


def test_ranks_are_averaged_by_what_they_got_answered() -> None:
    halves = [problem(2, 3, 4, 4), failing(problem(2, 3, 4, 4, batch_seed=1), 0)]
    sent: list[list[Tensor]] = []
    for half in halves:
        sent.append([])

        def record(values: Tensor) -> Tensor:
            sent[-1].append(values)
            return values

        make_plain()(THETA, replace(half, mean_over_ranks=record))
    means = iter([sum(pair) / 2 for pair in zip(*sent, strict=True)])
    alone = [make_plain()(THETA, half) for half in halves]
    found = make_plain()(THETA, replace(halves[0], mean_over_ranks=lambda _: next(means)))
    expected = (2 * alone[0].gradient + alone[1].gradient) / 3
    torch.testing.assert_close(found.gradient, expected)
    torch.testing.assert_close(found.loss, (2 * alone[0].loss + alone[1].loss) / 3)


def test_one_dead_sample_is_no_dead_step() -> None:
    posed = problem(2, 3, 4, 4)

    def half_dead(frames: Tensor) -> Tensor:
        return posed.losses(frames) * torch.tensor([1.0, 0.0]).repeat(2)

    estimate = make_plain()(THETA, replace(posed, losses=half_dead))
    assert estimate.gradient.any()
    assert estimate.logs["dead_share"] == 0.5
    assert estimate.logs["dead_pairs"] == 0


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        (lambda frames: frames.mean(), r"`problem.losses` must return shape \(4,\); found \(\)"),
        (
            lambda frames: frames.new_full((4,), torch.inf),
            r"`problem.losses` must be finite; found",
        ),
    ],
)
def test_refuses_losses(losses: Callable[[Tensor], Tensor], message: str) -> None:
    estimator = make_plain()
    with pytest.raises(ValueError, match=message):
        estimator(THETA, replace(problem(2, 3, 4, 4), losses=losses))
    assert estimator.step == 0


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("amplitude", 0.0),
        ("amplitude", 0.5),
        ("grid", 0),
        ("seed", -1),
        ("num_patterns", 0),
        ("basis", "'haar'"),
    ],
)
def test_refuses(argument: str, value: float | str) -> None:
    given = value.strip("'") if isinstance(value, str) else value
    with pytest.raises(ValueError, match=f"`{argument}` must be .*; found {value}"):
        OutputSpaceSPSA(**{argument: given})  # type: ignore[arg-type]  # wrong on purpose


def test_cosines_must_leave_room_for_their_sum() -> None:
    OutputSpaceSPSA(0.07, basis="cosine", grid=4)
    with pytest.raises(ValueError, match=r"`amplitude` must be in \(0, 0.0728\); found 0.08"):
        OutputSpaceSPSA(0.08, basis="cosine", grid=4)


def test_sums_of_cosines_stay_within_range() -> None:
    seen: list[Tensor] = []

    def losses(frames: Tensor) -> Tensor:
        seen.append(frames)
        return frames.flatten(1).sum(1)

    posed = BlackBoxProblem(
        anonymize=lambda t: torch.zeros(2, 3, 8, 8) + 0 * t.sum(), losses=losses
    )
    OutputSpaceSPSA(0.05, basis="cosine", grid=4)(THETA, posed)
    up, down = seen[0].chunk(2)
    assert seen[0].min() >= -1e-6
    torch.testing.assert_close((up + down).std(dim=(1, 2, 3)), torch.zeros(2).to(up))
