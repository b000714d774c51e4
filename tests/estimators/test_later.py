"""What needs no answer is done while the black box is asked."""

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from blackbox_anon.estimators import (
    SPSA,
    AbstractEstimator,
    ActiveSubspaceSPSA,
    AdaptiveAllocation,
    BlackBoxProblem,
    CriticalHistorySPSA,
    FidelityGuided,
    OutputSpaceSPSA,
)
from tests.estimators.cases import make_active, with_raw
from tests.estimators.problems import smooth_problem
from tests.estimators.small import SEVEN

MAKERS: dict[str, Callable[[], AbstractEstimator]] = {
    "active-subspace": make_active,
    "changes": lambda: make_active(sketch="changes"),
    "guided": lambda: FidelityGuided(make_active()),
}


@pytest.mark.parametrize("name", MAKERS)
def test_done_early_or_late_it_gives_the_same(name: str) -> None:
    problem, waiting = with_raw(smooth_problem(4, 2, 3, 8, 6)), list[Callable[[], None]]()
    passes: list[str] = []

    def losses(frames: Tensor) -> Tensor:
        passes.append("asked")
        for work in waiting:
            work()
        waiting.clear()
        passes.append("answered")
        return problem.losses(frames)

    def some(theta: Tensor, chosen: Tensor) -> Tensor:
        passes.append("worked")
        return problem.anonymize(theta)[chosen]

    early = replace(problem, losses=losses, beside=waiting.append, anonymize_some=some)
    ours, theirs = MAKERS[name](), MAKERS[name]()
    for step in range(3):
        passes.clear()
        one, other = ours(SEVEN, early), theirs(SEVEN, problem)
        torch.testing.assert_close(one.gradient, other.gradient, rtol=0, atol=0)
        if name == "guided":
            assert passes == ["asked", "worked", "answered"], step
    for key, value in ours.state_dict().items():
        torch.testing.assert_close(value, theirs.state_dict()[key], rtol=0, atol=0)


def test_a_new_projection_counts_from_the_next_step_on() -> None:
    estimator, problem = make_active(), smooth_problem(4, 2, 3, 8, 6)
    assert isinstance(estimator, ActiveSubspaceSPSA)
    estimator(SEVEN, problem)
    before = estimator.projections.clone()
    estimator(SEVEN + 1.0, problem)
    changed = (estimator.projections != before).any(dim=1)
    assert changed.tolist() == [True, *[False] * (len(before) - 1)]


def in_parts(problem: BlackBoxProblem, sizes: list[int], beside: bool) -> BlackBoxProblem:
    """The same problem, asked part by part; and what was asked about before an answer came."""
    waiting: list[Callable[[], None]] = []

    def part(rows: slice) -> BlackBoxProblem:
        def losses(frames: Tensor) -> Tensor:
            while waiting:
                waiting.pop(0)()
            whole = problem.anonymize(SEVEN).repeat(len(frames) // len(chosen), *[1] * 4)
            versions = whole.view(-1, sum(sizes), *whole.shape[1:])
            versions[:, rows] = frames.view(-1, len(chosen), *frames.shape[1:])
            return problem.losses(versions.flatten(0, 1)).view(-1, sum(sizes))[:, rows].flatten()

        chosen = range(sum(sizes))[rows]
        return replace(
            problem,
            anonymize=lambda theta: problem.anonymize(theta)[rows],
            losses=losses,
            raw=None if problem.raw is None else problem.raw[rows],
            beside=waiting.append if beside else None,
        )

    ends = torch.tensor(sizes).cumsum(0).tolist()
    rows = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    return replace(
        problem,
        names=[str(i) for i in range(sum(sizes))],
        parts=lambda: [part(one) for one in rows],
        beside=(lambda _: None) if beside else None,
    )


PAIRED: dict[str, tuple[Callable[[], AbstractEstimator], int]] = {
    "critical": (lambda: CriticalHistorySPSA(0.05, capacity=2, num_directions=3), 24),
    "active": (lambda: ActiveSubspaceSPSA(rank=3, sketches=4), 8),
    "groups": (lambda: ActiveSubspaceSPSA(rank=3, sketches=4, group_size=3), 8),
    "sketched": (lambda: ActiveSubspaceSPSA(rank=3, sketches=4, sketched_share=0.4), 8),
    "changes": (lambda: ActiveSubspaceSPSA(rank=3, sketches=4, sketch="changes"), 8),
    "changes-sketched": (
        lambda: ActiveSubspaceSPSA(rank=3, sketches=4, sketch="changes", sketched_share=0.4),
        8,
    ),
    "output": (lambda: OutputSpaceSPSA(), 8),
}


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("sizes", [[4], [1, 3], [2, 1, 1]])
@pytest.mark.parametrize("guided", [False, True])
@pytest.mark.parametrize("name", PAIRED)
def test_parts_give_what_the_whole_gives(
    name: str, guided: bool, sizes: list[int], beside: bool
) -> None:
    problem = with_raw(smooth_problem(4, 2, 3, 8, 6))
    make, queries = PAIRED[name]
    plain = make()
    plain.allocate(7)
    ours = FidelityGuided(plain) if guided else plain
    theirs = copy.deepcopy(ours)
    for _ in range(3):
        one = ours(SEVEN, in_parts(problem, sizes, beside))
        other = theirs(SEVEN, problem)
        torch.testing.assert_close(one.gradient, other.gradient)
        torch.testing.assert_close(one.loss, other.loss)
        torch.testing.assert_close(one.logs, other.logs)
        assert one.queries == other.queries == queries
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())


def test_parts_have_names() -> None:
    problem = smooth_problem(4, 2, 3, 8, 6)
    with pytest.raises(ValueError, match="`names` must be given where `parts` are; found None"):
        replace(problem, parts=lambda: [problem])


def test_who_weighs_what_a_part_of_the_batch_says_hears_all_of_it() -> None:
    problem = replace(smooth_problem(4, 2, 3, 8, 6), names=list("abcd"))
    part = in_parts(problem, [1, 3], beside=True)
    ours = AdaptiveAllocation(SPSA(0.05), share=1.0, memory=64)
    ours(SEVEN, replace(problem, subset=lambda _: part))
    assert (ours.losses.nan_to_num() != 0).sum() == 4
