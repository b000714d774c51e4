"""The mean of an estimate over all signs that could have been drawn: no statistical tolerance."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from blackbox_anon.estimators import AbstractEstimator, BlackBoxProblem


@dataclass(frozen=True)
class Drawn:
    """Where an estimator draws from, and how many numbers.

    ``magnitudes`` are those of the numbers; ``None`` is 1.
    """

    function: str
    """Its module and the function's name in it."""
    size: int
    magnitudes: Tensor | None = None


def mean_over_all_signs(
    make: Callable[[], AbstractEstimator],
    drawn: Drawn,
    theta: Tensor,
    problem: BlackBoxProblem,
    monkeypatch: pytest.MonkeyPatch,
) -> Tensor:
    """The mean first estimate, shape ``(P,)``."""
    total, rows = torch.zeros_like(theta), _all_signs(drawn)
    for row in rows:
        _replace(drawn, row, monkeypatch)
        total += make()(theta, problem).gradient
    mean: Tensor = total / len(rows)
    return mean


def mean_of_copies(
    make: Callable[[], AbstractEstimator],
    drawn: Drawn,
    theta: Tensor,
    problem: BlackBoxProblem,
    monkeypatch: pytest.MonkeyPatch,
) -> Tensor:
    """The same in one step, where every sample has signs of its own: a batch of copies of one.

    Args:
        make: The estimator.
        drawn: What it draws for one sample.
        theta: Shape ``(P,)``.
        problem: A batch of one.
        monkeypatch: Replaces what is drawn.
    """
    rows = _all_signs(drawn)

    def anonymize(theta: Tensor) -> Tensor:
        frames = problem.anonymize(theta)
        return frames.expand(len(rows), *frames.shape[1:])

    _replace(drawn, rows.flatten(), monkeypatch)
    mean: Tensor = make()(theta, replace(problem, anonymize=anonymize)).gradient
    return mean


def _all_signs(drawn: Drawn) -> Tensor:
    signs: Tensor = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=drawn.size)))
    if drawn.magnitudes is not None:
        signs = signs * drawn.magnitudes
    return signs


def _replace(drawn: Drawn, entries: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(size: int, seed: int, step: int) -> Tensor:
        del seed, step
        assert size == len(entries)
        return entries

    monkeypatch.setattr(f"blackbox_anon.estimators.{drawn.function}", draw)
