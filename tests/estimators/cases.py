"""Every estimator that asks, small, with a problem that suits it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from blackbox_anon.estimators import (
    SPSAGC,
    AbstractEstimator,
    ActiveSubspaceSPSA,
    Asked,
    BlackBoxProblem,
    CriticalHistory,
    FidelityGuided,
    OutputSpaceSPSA,
    PolicyGradient,
    SampleSPSA,
    SeparableCMAES,
    SurrogateGuided,
)
from tests.estimators.problems import quadratic_problem, smooth_problem
from tests.estimators.small import SEVEN, THETA, make_critical, make_spsa
from tests.estimators.surrogate import K, Linear

Make = Callable[..., AbstractEstimator]


@dataclass(frozen=True)
class Case:
    """An estimator, of a seed, and what to ask it."""

    make: Make
    calls: int
    """Calls per sample and step."""
    theta: Tensor
    pose: Callable[[int], BlackBoxProblem]
    """Makes a problem with a batch of this size."""


def make_gc(seed: int = 0) -> SPSAGC:
    estimator = SPSAGC(0.1, seed=seed, num_directions=3)
    estimator.allocate(6)
    return estimator.double()


def make_es(seed: int = 0) -> SeparableCMAES:
    estimator = SeparableCMAES(0.005, seed=seed, population=6)
    estimator.allocate(6)
    return estimator.double()


def make_policy(seed: int = 0) -> PolicyGradient:
    return PolicyGradient(0.05, rollouts=3, seed=seed)


def make_sample(seed: int = 0) -> SampleSPSA:
    return SampleSPSA(0.05, seed=seed)


def make_output(seed: int = 0, **chosen: Any) -> OutputSpaceSPSA:  # noqa: ANN401  # the estimator's own
    estimator = OutputSpaceSPSA(0.05, grid=2, seed=seed, **chosen)
    estimator.allocate(7)
    return estimator.double()


def make_active(seed: int = 0, **chosen: Any) -> ActiveSubspaceSPSA:  # noqa: ANN401  # the estimator's own
    estimator = ActiveSubspaceSPSA(rank=3, sketches=4, seed=seed, **chosen)
    estimator.allocate(7)
    return estimator.double()


def with_history(make: Make, **chosen: Any) -> Make:  # noqa: ANN401  # the estimator's own
    return lambda seed=0: make(seed, history=CriticalHistory(0, capacity=3), **chosen)


def make_guided(seed: int = 0) -> FidelityGuided:
    return FidelityGuided(make_active(seed), correction=0.5, share=0.5)


def make_surrogate_guided(seed: int = 0) -> SurrogateGuided:
    return SurrogateGuided(make_active(seed), Linear(), share=0.5)


def with_raw(problem: BlackBoxProblem) -> BlackBoxProblem:
    """The same problem, with raw frames that the anonymized ones are not far from."""
    shown = problem.anonymize(SEVEN)
    noise = torch.rand(shown.shape, generator=torch.Generator().manual_seed(5), dtype=shown.dtype)
    return replace(problem, raw=(shown.detach() + 0.2 * noise - 0.1).clamp(0, 1))


def guided_clips(batch: int) -> BlackBoxProblem:
    return with_raw(clips(batch))


def labelled_clips(batch: int) -> BlackBoxProblem:
    labels = torch.arange(batch) % K
    asked = Asked(prompts=["?"] * batch, classes=list("abc"), labels=labels)
    return replace(clips(batch), asked=asked)


def guided_images(batch: int) -> BlackBoxProblem:
    return with_raw(images(batch))


def images(batch: int) -> BlackBoxProblem:
    return smooth_problem(batch, 3, 8, 6)


def clips(batch: int) -> BlackBoxProblem:
    return smooth_problem(batch, 2, 3, 8, 6)


CASES = {
    "spsa": Case(make_spsa, 2, THETA, quadratic_problem),
    "spsa-3": Case(lambda seed=0: make_spsa(seed, 3), 6, THETA, quadratic_problem),
    "critical": Case(make_critical, 2, THETA, quadratic_problem),
    "critical-3": Case(lambda seed=0: make_critical(seed, 3), 6, THETA, quadratic_problem),
    "gc": Case(make_gc, 6, THETA, quadratic_problem),
    "evolution": Case(make_es, 6, THETA, quadratic_problem),
    "policy": Case(make_policy, 3, THETA, quadratic_problem),
    "sample": Case(make_sample, 2, THETA, quadratic_problem),
    "output-grid": Case(make_output, 2, SEVEN, images),
    "output-grid-clips": Case(make_output, 2, SEVEN, clips),
    "output-cosine": Case(lambda seed=0: make_output(seed, basis="cosine"), 2, SEVEN, images),
    "output-frames": Case(lambda seed=0: make_output(seed, share_frames=False), 2, SEVEN, clips),
    "output-3": Case(lambda seed=0: make_output(seed, num_patterns=3), 6, SEVEN, images),
    "output-history": Case(with_history(make_output), 2, SEVEN, images),
    "output-history-clips": Case(with_history(make_output), 2, SEVEN, clips),
    "active": Case(make_active, 2, SEVEN, images),
    "active-clips": Case(make_active, 2, SEVEN, clips),
    "active-history": Case(with_history(make_active, renewed=2), 2, SEVEN, images),
    "active-history-clips": Case(with_history(make_active, renewed=2), 2, SEVEN, clips),
    "active-changes": Case(
        lambda seed=0: make_active(seed, sketch="changes"), 2, SEVEN, guided_images
    ),
    "active-changes-clips": Case(
        lambda seed=0: make_active(seed, sketch="changes", sketched_share=0.5),
        2,
        SEVEN,
        guided_clips,
    ),
    "guided": Case(make_guided, 2, SEVEN, guided_clips),
    "surrogate": Case(make_surrogate_guided, 2, SEVEN, labelled_clips),
}

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def cases(*names: str) -> pytest.MarkDecorator:
    """Some of them."""
    return pytest.mark.parametrize("case", [CASES[name] for name in names], ids=names)
