"""What needs no answer is done while the black box is asked."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from blackbox_anon.estimators import AbstractEstimator, ActiveSubspaceSPSA, FidelityGuided
from tests.estimators.cases import make_active, with_raw
from tests.estimators.problems import smooth_problem
from tests.estimators.small import SEVEN

MAKERS: dict[str, Callable[[], AbstractEstimator]] = {
    "active-subspace": make_active,
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
