"""Estimates from valid pairs alone, against loops over exactly these pairs."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from blackbox_anon.errors import TooFewPairsError
from blackbox_anon.estimators import (
    SPSA,
    AbstractEstimator,
    BlackBoxProblem,
    CriticalHistory,
    CriticalHistorySPSA,
    Estimate,
    OutputSpaceSPSA,
)
from blackbox_anon.estimators.functional import rademacher, spsa_gradient
from tests import properties
from tests.estimators.problems import quadratic_problem

B, D, P = 5, 3, 12
THETA = torch.linspace(0.7, 0.3, P, dtype=torch.float64)
Make = Callable[[], AbstractEstimator]


def make_spsa() -> SPSA:
    return SPSA(0.1, num_directions=D)


def make_critical() -> CriticalHistorySPSA:
    estimator = CriticalHistorySPSA(0.1, num_directions=D, capacity=3)
    estimator.allocate(P)
    return estimator.double()


def make_output_space() -> OutputSpaceSPSA:
    estimator = OutputSpaceSPSA(0.05, grid=2, history=CriticalHistory(0, capacity=3))
    estimator.allocate(P)
    return estimator.double()


MAKERS: list[Make] = [make_spsa, make_critical, make_output_space]


def posed(rank: int = 0) -> BlackBoxProblem:
    """Each rank has losses of its own."""
    problem = quadratic_problem(B, P)

    def anonymize(theta: Tensor) -> Tensor:
        return theta.reshape(1, 3, 2, 2).expand(B, -1, -1, -1)

    def losses(frames: Tensor) -> Tensor:
        return problem.losses(frames) * (1 + rank) + frames.flatten(1)[:, 0] * rank

    return replace(problem, anonymize=anonymize, losses=losses)


def failing(problem: BlackBoxProblem, lost: Tensor) -> BlackBoxProblem:
    """The same problem with the marked calls failed."""

    def losses(frames: Tensor) -> Tensor:
        return torch.where(lost, torch.nan, problem.losses(frames))

    return replace(problem, losses=losses)


def schedule(rank: int, share: float = 0.3, calls: int = 2 * D * B) -> Tensor:
    return torch.rand(calls, generator=torch.Generator().manual_seed(rank)) < share


class Replay:
    """Gives back recorded means in order."""

    def __init__(self, means: Sequence[Tensor]) -> None:
        self.means = iter(means)

    def __call__(self, _: Tensor) -> Tensor:
        return next(self.means)


def exchanged(make: Make, problem: BlackBoxProblem) -> list[Tensor]:
    """What a rank sends to the others, in order."""
    calls: list[Tensor] = []

    def keep(values: Tensor) -> Tensor:
        calls.append(values)
        return values

    with suppress(TooFewPairsError):  # it may have too few alone
        make()(THETA, replace(problem, mean_over_ranks=keep))
    return calls


def estimates(make: Make, problems: Sequence[BlackBoxProblem]) -> list[Estimate]:
    """What each of several ranks finds; their tensors are exchanged by running them twice."""
    sent = [exchanged(make, problem) for problem in problems]
    assert len({len(calls) for calls in sent}) == 1, "ranks took part in different collectives"
    means = [torch.stack(values).mean(dim=0) for values in zip(*sent, strict=True)]
    return [make()(THETA, replace(p, mean_over_ranks=Replay(means))) for p in problems]


def reference(problems: Sequence[BlackBoxProblem]) -> tuple[np.ndarray, float, int]:
    """Eq. 7 averaged in a loop over the pairs of which both halves were answered."""
    directions = rademacher(D * P, 0, 1).double().reshape(D, P)
    slopes, seen, dropped = [], [], 0
    for problem in problems:
        sides = [
            torch.cat([problem.anonymize(THETA + s * 0.1 * d) for d in directions]) for s in (1, -1)
        ]
        losses = problem.losses(torch.cat(sides)).reshape(2, D, B).numpy()
        for d in range(D):
            for b in range(B):
                plus, minus = losses[:, d, b]
                if np.isnan(plus) or np.isnan(minus):
                    dropped += 1
                    continue
                slopes.append((plus - minus) / 0.2 * directions[d].numpy())
                seen += [plus, minus]
    return np.mean(slopes, axis=0), float(np.mean(seen)), dropped


@pytest.mark.parametrize("ranks", [1, 2])
def test_spsa_is_the_mean_over_valid_pairs_of_all_ranks(ranks: int) -> None:
    problems = [failing(posed(rank), schedule(rank)) for rank in range(ranks)]
    gradient, loss, dropped = reference(problems)
    assert 0 < dropped < ranks * D * B
    for estimate in estimates(make_spsa, problems):
        np.testing.assert_allclose(estimate.gradient.numpy(), gradient, rtol=1e-10)
        assert estimate.loss.item() == pytest.approx(loss)
        assert estimate.logs["dropped_share"].item() == pytest.approx(dropped / (ranks * D * B))
        assert estimate.queries == 2 * D * B


def test_a_direction_without_any_answer_is_not_dead_and_weighs_nothing() -> None:
    lost = torch.zeros(2, D, B, dtype=torch.bool)
    lost[0, 1] = True
    problem = failing(posed(), lost.flatten())
    gradient, loss, _ = reference([problem])
    estimate = make_spsa()(THETA, problem)
    np.testing.assert_allclose(estimate.gradient.numpy(), gradient, rtol=1e-10)
    assert estimate.loss.item() == pytest.approx(loss)
    assert estimate.logs["dead_pairs"] == estimate.logs["dead_share"] == 0


@pytest.mark.parametrize("ranks", [1, 2])
def test_output_space_is_the_mean_over_answered_samples(ranks: int) -> None:
    """A sample's own gradient is that of a batch in which all others were lost."""
    lost = [schedule(rank + 7, calls=2 * B) for rank in range(ranks)]
    found = estimates(
        lambda: OutputSpaceSPSA(0.05, grid=2).double(),
        [failing(posed(r), x) for r, x in enumerate(lost)],
    )
    alone = []
    for rank, marked in enumerate(lost):
        for b in range(B):
            if not marked.reshape(2, B)[:, b].any():
                others = torch.arange(2 * B) % B != b
                alone.append(
                    OutputSpaceSPSA(0.05, grid=2).double()(THETA, failing(posed(rank), others))
                )
    assert 0 < len(alone) < ranks * B
    expected = torch.stack([one.gradient for one in alone]).mean(dim=0)
    for estimate in found:
        torch.testing.assert_close(estimate.gradient, expected, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(estimate.loss, torch.stack([o.loss for o in alone]).mean())
        dropped = 1 - len(alone) / (ranks * B)
        assert estimate.logs["dropped_share"].item() == pytest.approx(dropped)


def test_without_failures_not_a_bit_differs_from_the_mean_over_samples() -> None:
    problem, theta = posed(), THETA.float()
    directions = rademacher(D * P, 0, 1).reshape(D, P)
    frames = [
        problem.anonymize(theta + o) for o in torch.cat([0.1 * directions, -0.1 * directions])
    ]
    sides = problem.losses(torch.cat(frames)).reshape(2, D, B).mean(dim=2)
    assert sides.dtype == torch.float64
    pairs = zip(*sides, directions, strict=True)
    expected = torch.stack([spsa_gradient(p, m, d, 0.1) for p, m, d in pairs]).mean(dim=0)
    estimate = make_spsa()(theta, problem)
    assert torch.equal(estimate.gradient, expected)
    assert torch.equal(estimate.loss, sides.flatten().mean())
    assert estimate.logs["dropped_share"] == 0


@pytest.mark.parametrize("make", MAKERS)
def test_too_few_pairs_leave_no_trace_and_can_be_asked_again(make: Make) -> None:
    untouched, retried = make(), make()
    before = {name: tensor.clone() for name, tensor in retried.named_buffers()}
    for least in (0.0, 0.5):
        calls = 2 * B * (1 if isinstance(retried, OutputSpaceSPSA) else D)
        lost = torch.arange(calls) >= (calls // 2 if least == 0 else calls // 8)
        problem = replace(failing(posed(), lost), min_valid_share=least)
        with pytest.raises(TooFewPairsError, match=f"{least:.0%} of a step's pairs.*; found"):
            retried(THETA, problem)
        for name, tensor in retried.named_buffers():
            assert torch.equal(tensor, before[name]), name
    properties.assert_same_estimates(untouched(THETA, posed()), retried(THETA, posed()))


@pytest.mark.parametrize("make", MAKERS)
def test_the_least_share_is_that_of_all_ranks(make: Make) -> None:
    calls = 2 * B * (1 if make is make_output_space else D)
    half_lost = [torch.ones(calls, dtype=torch.bool), torch.zeros(calls, dtype=torch.bool)]
    problems = [failing(posed(rank), lost) for rank, lost in enumerate(half_lost)]
    enough = [replace(problem, min_valid_share=0.5) for problem in problems]
    first, second = estimates(make, enough)
    assert torch.equal(first.gradient, second.gradient)
    with pytest.raises(TooFewPairsError, match=r"60% of a step's pairs .* found 50%"):
        estimates(make, [replace(problem, min_valid_share=0.6) for problem in problems])


@pytest.mark.parametrize("make", MAKERS)
def test_a_loss_that_is_no_number_is_no_failed_call(make: Make) -> None:
    problem = posed()

    def losses(frames: Tensor) -> Tensor:
        found = problem.losses(frames)
        found[0] = torch.inf
        found[1] = torch.nan
        return found

    with pytest.raises(ValueError, match=r"`problem\.losses` must be finite"):
        make()(THETA, replace(problem, losses=losses))
