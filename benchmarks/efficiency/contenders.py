"""Who runs, each with the settings it is usually run with."""

from collections.abc import Callable

from blackbox_anon.estimators import (
    SPSA,
    SPSAGC,
    AbstractEstimator,
    ActiveSubspaceSPSA,
    AdaptiveAllocation,
    CriticalHistorySPSA,
    FidelityGuided,
    OutputSpaceSPSA,
    PolicyGradient,
    SampleSPSA,
    SeparableCMAES,
    SurrogateGuided,
    WhiteBox,
)
from blackbox_anon.mllms import HuggingFaceMLLM
from blackbox_anon.surrogates import ClipSurrogate
from blackbox_anon.world import PeopleWorld

RADIUS = 0.01  # as in demo.yaml; at the paper's 0.005 rounding to 8 bits swallows more

CORRECTION = 0.1
"""Share of the paid estimate in a guided step, as in demo_fast.yaml."""

ASKED_SHARE = 0.5
"""Share of a batch that is asked, where a surrogate points for all of it."""

UNSURROGATED = 0.025
"""Share of the paid estimate without a surrogate. What is paid for is mostly noise, and a step is
better off with little of it: on seeds that only the search uses 0.2, 0.05, 0.025 and 0 reached the
middle target after 2.75, 1, 0.75 and 0.4 calls a clip."""

OURS, PAPER, SPSA_NAME, LIMIT = "ours", "paper", "spsa", "white box"


def contenders(mllm: HuggingFaceMLLM) -> dict[str, Callable[[int], AbstractEstimator]]:
    """Return how to make each contender from a seed.

    Args:
        mllm: The model that is asked; the white box reads a copy of it.
    """
    return {
        LIMIT: lambda seed: WhiteBox(mllm),  # noqa: ARG005  # nothing is drawn
        OURS: lambda seed: _by_surrogate(seed, CORRECTION),
        "surrogate alone": lambda seed: _by_surrogate(seed, 0.0),
        "fidelity": lambda seed: _guided(seed, UNSURROGATED),
        "fidelity alone": lambda seed: _guided(seed, 0.0),
        "active subspace": lambda seed: ActiveSubspaceSPSA(clip_quantile=0.9, seed=seed),
        "output space": lambda seed: OutputSpaceSPSA(seed=seed),
        "per sample": lambda seed: SampleSPSA(RADIUS, seed=seed),
        PAPER: lambda seed: CriticalHistorySPSA(RADIUS, seed=seed),
        SPSA_NAME: lambda seed: SPSA(RADIUS, seed=seed),
        "spsa-gc": lambda seed: SPSAGC(RADIUS, seed=seed),
        "evolution strategy": lambda seed: SeparableCMAES(RADIUS, seed=seed),
        "policy gradient": lambda seed: PolicyGradient(seed=seed),
    }


def _by_surrogate(seed: int, correction: float) -> SurrogateGuided:
    paid = ActiveSubspaceSPSA(0.04, rank=4, sketch="changes", clip_quantile=0.9, seed=seed)
    surrogate = ClipSurrogate(len(PeopleWorld.classes), frame_stride=2, weights="peopleworld")
    half = AdaptiveAllocation(paid, share=ASKED_SHARE, seed=seed)
    guided = FidelityGuided(half, correction=correction, share=1.0)
    return SurrogateGuided(guided, surrogate)


def _guided(seed: int, correction: float) -> FidelityGuided:
    paid = ActiveSubspaceSPSA(clip_quantile=0.9, seed=seed)
    return FidelityGuided(paid, correction=correction, share=1.0)
