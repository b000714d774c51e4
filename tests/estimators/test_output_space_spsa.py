"""Patterns on frames: how they are averaged, whose they are, and how far they reach."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from blackbox_anon.estimators import BlackBoxProblem, OutputSpaceSPSA
from blackbox_anon.estimators import output_space_spsa as source
from blackbox_anon.estimators.functional import rademacher
from tests.estimators.cases import make_output
from tests.estimators.problems import smooth_problem
from tests.estimators.small import SEVEN


def test_several_patterns_are_averaged(monkeypatch: pytest.MonkeyPatch) -> None:
    posed, drawn = smooth_problem(2, 3, 4, 4), rademacher(2 * 2 * 12, 0, 1)
    estimates = []
    for part in drawn.chunk(2):
        monkeypatch.setattr(source, "rademacher", lambda size, seed, step, part=part: part)  # noqa: ARG005  # its signature
        estimates.append(OutputSpaceSPSA(0.05, grid=2)(SEVEN, posed).gradient)
    monkeypatch.setattr(source, "rademacher", lambda size, seed, step: drawn)  # noqa: ARG005  # its signature
    found = OutputSpaceSPSA(0.05, grid=2, num_patterns=2)(SEVEN, posed)
    torch.testing.assert_close(found.gradient, sum(estimates) / 2, rtol=0, atol=1e-12)
    assert found.queries == 8


def test_samples_have_patterns_of_their_own() -> None:
    problem, seen = smooth_problem(2, 3, 4, 4), []

    def losses(frames: Tensor) -> Tensor:
        seen.append(frames.clone())
        return problem.losses(frames)

    make_output()(SEVEN, replace(problem, losses=losses))
    shift = seen[0][:2] - seen[0][2:]
    assert not torch.equal(shift[0], shift[1])


def test_saturated_frames_are_shifted_on_both_sides() -> None:
    black_and_white = (
        torch.tensor([0.0, 1.0], dtype=torch.float64).view(2, 1, 1, 1).expand(2, 3, 4, 4)
    )
    seen: list[Tensor] = []

    def losses(frames: Tensor) -> Tensor:
        seen.append(frames)
        return frames.flatten(1).sum(1)

    posed = BlackBoxProblem(anonymize=lambda t: black_and_white + 0 * t.sum(), losses=losses)
    OutputSpaceSPSA(0.1, grid=4)(SEVEN, posed)
    up, down = seen[0].chunk(2)
    assert seen[0].min() >= 0
    assert seen[0].max() <= 1
    torch.testing.assert_close((up - down).abs(), torch.full_like(up, 0.2))
    torch.testing.assert_close((up + down) / 2, black_and_white.clamp(0.1, 0.9))


def test_sums_of_cosines_stay_within_range() -> None:
    seen: list[Tensor] = []

    def losses(frames: Tensor) -> Tensor:
        seen.append(frames)
        return frames.flatten(1).sum(1)

    posed = BlackBoxProblem(
        anonymize=lambda t: torch.zeros(2, 3, 8, 8) + 0 * t.sum(), losses=losses
    )
    OutputSpaceSPSA(0.05, basis="cosine", grid=4)(SEVEN, posed)
    up, down = seen[0].chunk(2)
    assert seen[0].min() >= -1e-6
    torch.testing.assert_close((up + down).std(dim=(1, 2, 3)), torch.zeros(2).to(up))
