"""Arguments out of their range are named."""

from collections.abc import Callable

import pytest

from blackbox_anon.estimators import (
    SPSA,
    SPSAGC,
    AbstractEstimator,
    ActiveSubspaceSPSA,
    CriticalHistorySPSA,
    OutputSpaceSPSA,
    PolicyGradient,
    SampleSPSA,
    SeparableCMAES,
)

WRONG: dict[Callable[..., AbstractEstimator], dict[str, object]] = {
    SPSA: {"radius": 0.0, "radius_decay": -0.1, "seed": -1, "num_directions": 0},
    CriticalHistorySPSA: {"radius": 0.0, "radius_decay": -0.1, "seed": -1, "num_directions": 0},
    SPSAGC: {
        "radius": 0.0,
        "radius_decay": -1.0,
        "seed": -1,
        "num_directions": 0,
        "momentum": 1.0,
    },
    SampleSPSA: {"radius": 0.0, "radius_decay": -1.0, "seed": -1},
    SeparableCMAES: {"radius": 0.0, "seed": -1, "population": 3},
    PolicyGradient: {"noise": 0.5, "rollouts": 1, "seed": -1},
    OutputSpaceSPSA: {"amplitude": 0.0, "grid": 0, "seed": -1, "num_patterns": 0, "basis": "haar"},
    ActiveSubspaceSPSA: {"amplitude": 0.0, "rank": 0, "renewed": -1, "seed": -1},
}


@pytest.mark.parametrize(
    ("build", "argument", "value"),
    [
        *((build, *wrong) for build, arguments in WRONG.items() for wrong in arguments.items()),
        (OutputSpaceSPSA, "amplitude", 0.5),
        (ActiveSubspaceSPSA, "amplitude", 0.5),
        (ActiveSubspaceSPSA, "rank", 33),
    ],
)
def test_refuses(build: Callable[..., AbstractEstimator], argument: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"`{argument}` must be .*; found {value!r}"):
        build(**{argument: value})


def test_cosines_must_leave_room_for_their_sum() -> None:
    OutputSpaceSPSA(0.07, basis="cosine", grid=4)
    with pytest.raises(ValueError, match=r"`amplitude` must be in \(0, 0.0728\); found 0.08"):
        OutputSpaceSPSA(0.08, basis="cosine", grid=4)


def test_a_subspace_has_no_more_directions_than_there_are_parameters() -> None:
    with pytest.raises(ValueError, match="`rank` must be at most the 4 parameters; found 8"):
        ActiveSubspaceSPSA().allocate(4)
