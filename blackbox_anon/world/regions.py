"""Where people are: the boxes that a perfect person detector would give."""

import operator

import torch
from torch import Tensor

from blackbox_anon.world.drawing import pose_of, time_of
from blackbox_anon.world.scene import Person, Scene
from blackbox_anon.world.skeleton import Joints, Point, joints_of

_LIMB, _TRUNK, _HEAD = 0.08, 0.13, 0.22  # how far paint reaches from a joint, in body heights
_STRANDS, _SKIRT = 0.23, 0.21


def person_regions(scene: Scene, clip_frames: int, size: int) -> Tensor:
    """Mark person boxes for the obfuscation baselines.

    Args:
        scene: What the clip shows.
        clip_frames: Frames ``T``.
        size: Height and width in pixels.

    Returns:
        uint8, shape ``(T, 1, size, size)``, 1 inside a box.
    """
    mask = torch.zeros(clip_frames, 1, size, size, dtype=torch.uint8)
    for t in range(clip_frames):
        for person in scene.people:
            left, top, right, bottom = _box(person, time_of(scene, t, clip_frames))
            rows = slice(max(0, int(top * size)), max(0, int(bottom * size) + 1))
            columns = slice(max(0, int(left * size)), max(0, int(right * size) + 1))
            mask[t, 0, rows, columns] = 1
    return mask


def _box(person: Person, time: float) -> tuple[float, float, float, float]:
    parts = _parts(person, joints_of(pose_of(person, time)))
    across = [person.x + person.facing * person.height * x for (x, _), _ in parts]
    down = [person.ground - person.height * y for (_, y), _ in parts]
    reach = [person.height * margin for _, margin in parts]
    return (
        min(map(operator.sub, across, reach)),
        min(map(operator.sub, down, reach)),
        max(map(operator.add, across, reach)),
        max(map(operator.add, down, reach)),
    )


def _parts(person: Person, j: Joints) -> list[tuple[Point, float]]:
    """List points with how far the paint around each reaches."""
    limbs = (*j.elbows, *j.hands, *j.knees, *j.feet)
    parts = [(point, _LIMB) for point in limbs]
    parts += [(j.hip, _TRUNK), (j.neck, _TRUNK), (j.head, _HEAD)]
    if person.long_hair:
        (x, y), (ux, uy) = j.head, j.up
        parts.append(((x - 0.2 * ux, y - 0.2 * uy), _STRANDS))
    if person.long_hair or person.hooded:
        (ax, ay), (bx, by) = j.knees
        parts.append((((ax + bx) / 2, min(ay, by)), _SKIRT))
    return parts
