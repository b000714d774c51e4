"""Where people are: the boxes that a perfect person detector would give."""

import torch
from torch import Tensor

from blackbox_anon.world.actions import pose_at
from blackbox_anon.world.drawing import time_of
from blackbox_anon.world.scene import Person, Scene
from blackbox_anon.world.skeleton import joints_of

_MARGIN = 0.2  # of the body height: head and hair reach beyond the joints


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
    j = joints_of(pose_at(person.action, time))
    points = (j.hip, j.neck, j.head, *j.elbows, *j.hands, *j.knees, *j.feet)
    across = [person.x + person.facing * person.height * x for x, _ in points]
    down = [person.ground - person.height * y for _, y in points]
    margin = _MARGIN * person.height
    low = max(down) + 0.06 * person.height
    return min(across) - margin / 2, min(down) - margin, max(across) + margin / 2, low
