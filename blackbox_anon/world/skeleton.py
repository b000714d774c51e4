"""From joint angles to points: forward kinematics of the stick skeleton."""

import math
from dataclasses import dataclass

from blackbox_anon.world.actions import FOREARM, HEAD, LEG, TORSO, UPPER_ARM, Pose

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Joints:
    """Joint positions in body heights, ``x`` towards the facing side, ``y`` up, ground at 0."""

    hip: Point
    neck: Point
    head: Point
    elbows: tuple[Point, Point]
    hands: tuple[Point, Point]
    knees: tuple[Point, Point]
    feet: tuple[Point, Point]
    up: Point
    """Unit vector from neck to head: where the top of the face is."""


def _step(origin: Point, angle: float, length: float) -> Point:
    return origin[0] + length * math.sin(angle), origin[1] - length * math.cos(angle)


def _limb(
    origin: Point, angle: float, bend: float, lengths: tuple[float, float]
) -> tuple[Point, Point]:
    middle = _step(origin, angle, lengths[0])
    return middle, _step(middle, angle + bend, lengths[1])


def _rotate(point: Point, centre: Point, angle: float) -> Point:
    c, s = math.cos(angle), math.sin(angle)
    x, y = point[0] - centre[0], point[1] - centre[1]
    return centre[0] + c * x + s * y, centre[1] - s * x + c * y


def joints_of(pose: Pose) -> Joints:
    """Place the joints: the lowest foot stands on the ground unless the pose lifts it."""
    legs = [_limb((0.0, 0.0), pose.legs[i], pose.knees[i], (LEG, LEG)) for i in (0, 1)]
    neck = _step((0.0, 0.0), math.pi - pose.lean, TORSO)
    head = _step(neck, math.pi - 0.6 * pose.lean, HEAD)
    arms = [_limb(neck, pose.arms[i], pose.elbows[i], (UPPER_ARM, FOREARM)) for i in (0, 1)]
    points = [(0.0, 0.0), neck, head, *arms[0], *arms[1], *legs[0], *legs[1]]
    if pose.spin:
        points = [_rotate(p, (0.0, 0.12), pose.spin) for p in points]
        ground = 2 * LEG + 0.02
    else:
        ground = max(-points[8][1], -points[10][1], 0.1)
    hip, neck, head, *rest = [(x + pose.shift, y + ground + pose.lift) for x, y in points]
    length = math.hypot(head[0] - neck[0], head[1] - neck[1])
    return Joints(
        hip=hip,
        neck=neck,
        head=head,
        elbows=(rest[0], rest[2]),
        hands=(rest[1], rest[3]),
        knees=(rest[4], rest[6]),
        feet=(rest[5], rest[7]),
        up=((head[0] - neck[0]) / length, (head[1] - neck[1]) / length),
    )
