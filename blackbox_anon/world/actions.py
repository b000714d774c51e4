"""Ten actions as joint-angle curves of a stick skeleton.

Angles are in radians from straight down, positive towards the side the person faces. Lengths are in
body heights; ``y`` points up and the ground is at ``y = 0``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

ACTIONS: tuple[str, ...] = (
    "wave",
    "jump",
    "walk",
    "run",
    "kick",
    "clap",
    "cartwheel",
    "sit down",
    "pick up",
    "throw",
)
"""Class texts, in label order."""

LEG, TORSO, UPPER_ARM, FOREARM, HEAD = 0.2, 0.27, 0.17, 0.17, 0.14


@dataclass(frozen=True, kw_only=True)
class Pose:
    """Joint angles and displacement of one person in one frame."""

    arms: tuple[float, float] = (-0.25, 0.25)
    elbows: tuple[float, float] = (0.0, 0.0)
    legs: tuple[float, float] = (-0.12, 0.12)
    knees: tuple[float, float] = (0.0, 0.0)
    lean: float = 0.0
    spin: float = 0.0
    shift: float = 0.0
    lift: float = 0.0
    prop: tuple[float, float] | None = None


def _swing(phase: float) -> float:
    return math.sin(2 * math.pi * phase)


def _pulse(phase: float) -> float:
    """Return 0 at the ends of a cycle and 1 in its middle."""
    return 0.5 - 0.5 * math.cos(2 * math.pi * phase)


def _wave(u: float) -> Pose:
    return Pose(arms=(-0.25, 2.5), elbows=(0.0, 0.75 * _swing(2.5 * u)))


def _jump(u: float) -> Pose:
    height = _pulse(1.6 * u)
    crouch = 0.9 * (1 - height)
    arm = 0.4 + 2.3 * height
    return Pose(
        arms=(-arm, arm),
        legs=(-0.15 - 0.4 * crouch, 0.15 + 0.4 * crouch),
        knees=(0.9 * crouch, -0.9 * crouch),
        lift=0.24 * height,
    )


def _walk(u: float) -> Pose:
    s = _swing(1.5 * u)
    return Pose(
        arms=(-0.45 * s, 0.45 * s),
        legs=(0.5 * s, -0.5 * s),
        knees=(-0.2 - 0.2 * s, -0.2 + 0.2 * s),
        shift=0.35 * (u - 0.5),
    )


def _run(u: float) -> Pose:
    s = _swing(2.5 * u)
    return Pose(
        arms=(-1.1 * s, 1.1 * s),
        elbows=(1.5, 1.5),
        legs=(1.0 * s + 0.2, -1.0 * s + 0.2),
        knees=(-0.9 + 0.5 * s, -0.9 - 0.5 * s),
        lean=0.4,
        shift=0.55 * (u - 0.5),
        lift=0.04 * abs(s),
    )


def _kick(u: float) -> Pose:
    k = _pulse(1.5 * u) ** 1.5
    return Pose(
        arms=(-0.9 * k - 0.25, 0.9 * k + 0.25),
        legs=(-0.12, 0.1 + 1.75 * k),
        knees=(0.0, -0.3 * (1 - k)),
        lean=-0.3 * k,
    )


def _clap(u: float) -> Pose:
    k = _pulse(2.5 * u)
    return Pose(arms=(-1.0 - 0.5 * k, 1.0 + 0.5 * k), elbows=(2.4 - 2.0 * k, -2.4 + 2.0 * k))


def _cartwheel(u: float) -> Pose:
    return Pose(
        arms=(-2.6, 2.6),
        legs=(-0.55, 0.55),
        spin=2 * math.pi * u,
        shift=0.5 * (u - 0.5),
        lift=0.06 * _pulse(u),
    )


def _sit(u: float) -> Pose:
    k = min(1.0, max(0.0, (u - 0.1) / 0.55))
    return Pose(
        arms=(0.3 * k - 0.25, 0.6 * k + 0.25),
        legs=(1.45 * k - 0.1, 1.45 * k + 0.1),
        knees=(-1.5 * k, -1.4 * k),
        lean=0.12 * math.sin(math.pi * k),
    )


def _pick(u: float) -> Pose:
    k = _pulse(u)
    reach = 1.45 * k
    hand = (0.42, 0.04) if u < 0.5 else None
    return Pose(
        arms=(reach * 0.15, reach * 0.25),
        legs=(-0.15 * k, 0.12),
        knees=(-0.1 * k, -0.1 * k),
        lean=reach,
        prop=hand if hand else (math.nan, math.nan),
    )


def _throw(u: float) -> Pose:
    k = min(1.0, max(0.0, (u - 0.3) / 0.3))
    flight = max(0.0, (u - 0.5) / 0.5)
    ball = (0.45 + 0.9 * flight, 0.75 + 0.5 * flight - 0.9 * flight**2) if flight else None
    return Pose(
        arms=(0.7 - 0.9 * k, -2.6 + 4.0 * k),
        elbows=(0.0, -0.5 + 0.5 * k),
        legs=(-0.35 * k - 0.1, 0.45 * k + 0.1),
        lean=-0.2 + 0.5 * k,
        prop=ball if ball else (math.nan, math.nan),
    )


def _stand(u: float) -> Pose:
    sway = 0.06 * _swing(u)
    return Pose(arms=(-0.25 + sway, 0.25 + sway))


_CURVES: dict[str, Callable[[float], Pose]] = {
    "wave": _wave,
    "jump": _jump,
    "walk": _walk,
    "run": _run,
    "kick": _kick,
    "clap": _clap,
    "cartwheel": _cartwheel,
    "sit down": _sit,
    "pick up": _pick,
    "throw": _throw,
    "stand": _stand,
}


def pose_at(action: str, time: float) -> Pose:
    """Return the pose of an action at a time of the clip.

    Args:
        action: One of :data:`ACTIONS`, or ``"stand"`` for bystanders.
        time: Share of the clip that has passed, in ``[0, 1]`` or a little beyond.

    Raises:
        KeyError: If the action is unknown.
    """
    return _CURVES[action](time)
