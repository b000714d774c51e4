"""Paint a scene with Pillow: capsules for limbs, discs for heads, supersampled."""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from blackbox_anon.world.actions import Pose, pose_at
from blackbox_anon.world.backdrop import draw_backdrop, draw_object
from blackbox_anon.world.scene import Colour, Person, Scene
from blackbox_anon.world.skeleton import Joints, Point, joints_of

SUPERSAMPLING = 3
_RADIUS = 0.145  # of the head, in body heights: faces stay legible at 64 pixels


class _Brush:
    """Draws in a person's own coordinates, with ``ink`` in place of every colour if it is given."""

    def __init__(
        self, draw: ImageDraw.ImageDraw, person: Person, side: int, ink: int | None = None
    ) -> None:
        self.draw, self.ink = draw, ink
        self.scale = person.height * side
        self.origin = (person.x * side, person.ground * side)
        self.facing = person.facing

    def at(self, point: Point) -> Point:
        return (
            self.origin[0] + self.facing * point[0] * self.scale,
            self.origin[1] - point[1] * self.scale,
        )

    def _fill(self, colour: Colour) -> Colour | int:
        return colour if self.ink is None else self.ink

    def limb(self, points: tuple[Point, ...], width: float, colour: Colour) -> None:
        placed = [self.at(p) for p in points]
        fill = self._fill(colour)
        size = width * self.scale
        half = size / 2
        self.draw.line(placed, fill=fill, width=max(1, round(size)), joint="curve")
        for x, y in (placed[0], placed[-1]):
            self.draw.ellipse((x - half, y - half, x + half, y + half), fill=fill)

    def disc(self, centre: Point, radius: float, colour: Colour) -> None:
        x, y = self.at(centre)
        r, fill = radius * self.scale, self._fill(colour)
        self.draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)

    def shape(self, points: list[Point], colour: Colour) -> None:
        fill = self._fill(colour)
        self.draw.polygon([self.at(p) for p in points], fill=fill)


def _along(joints: Joints, forward: float, upward: float) -> Point:
    """Return a point near the head: ``forward`` across the face, ``upward`` along it."""
    ux, uy = joints.up
    x, y = joints.head
    return x + forward * uy + upward * ux, y - forward * ux + upward * uy


def _head(brush: _Brush, person: Person, joints: Joints) -> None:
    r = _RADIUS
    if person.hooded:
        brush.disc(_along(joints, 0, 0.0), 1.28 * r, person.shirt)
    elif person.long_hair:
        brush.disc(_along(joints, 0, 0.15 * r), 1.22 * r, person.hair)
        for side in (-1.0, 1.0):
            strand = _along(joints, side * r, 0), _along(joints, side * 1.15 * r, -1.7 * r)
            brush.limb(strand, 0.09, person.hair)
    else:
        brush.disc(_along(joints, 0, 0.3 * r), 1.08 * r, person.hair)
    if person.face == "hidden":
        brush.disc(joints.head, r, person.shirt if person.hooded else person.hair)
        return
    brush.disc(_along(joints, 0, -0.1 * r), 0.98 * r, person.skin)
    for side in (-0.42, 0.42):
        brush.disc(_along(joints, side * r, 0.18 * r), 0.3 * r, (250, 250, 250))
        brush.disc(_along(joints, side * r, 0.18 * r), 0.17 * r, (15, 15, 30))
    if person.face == "partial":
        corners = [(-0.95, -0.12), (0.95, -0.12), (0.75, -0.95), (-0.75, -0.95)]
        brush.shape([_along(joints, a * r, b * r) for a, b in corners], (245, 248, 250))
    else:
        mouth = _along(joints, -0.35 * r, -0.55 * r), _along(joints, 0.35 * r, -0.55 * r)
        brush.limb(mouth, 0.055, (200, 30, 50))
        if not person.hooded and not person.long_hair:
            beard = _along(joints, -0.5 * r, -0.98 * r), _along(joints, 0.5 * r, -0.98 * r)
            brush.limb(beard, 0.09, person.hair)


def _arm(brush: _Brush, person: Person, joints: Joints, i: int) -> None:
    sleeve = person.skin if person.semi_nude else person.shirt
    brush.limb((joints.neck, joints.elbows[i]), 0.085, sleeve)
    brush.limb((joints.elbows[i], joints.hands[i]), 0.075, person.skin)


def _body(brush: _Brush, person: Person, joints: Joints) -> None:
    bare = person.semi_nude
    for i in (0, 1):
        leg = joints.hip, joints.knees[i], joints.feet[i]
        brush.limb(leg, 0.1, person.skin if bare else person.trousers)
    shoulders = 0.2 if not person.long_hair else 0.16
    brush.limb((joints.hip, joints.neck), shoulders, person.skin if bare else person.shirt)
    if bare:
        brush.limb((joints.hip, joints.hip), 0.19, person.trousers)
    elif person.hooded:
        middle = tuple((a + b) / 2 for a, b in zip(joints.knees[0], joints.knees[1], strict=True))
        brush.limb((joints.neck, joints.hip, (middle[0], middle[1])), 0.22, person.shirt)
    elif person.long_hair:
        (x, y), (first, second) = joints.hip, joints.knees
        kx, ky = (first[0] + second[0]) / 2, min(first[1], second[1])
        skirt = [(x - 0.08, y + 0.05), (x + 0.08, y + 0.05)]
        skirt += [(kx + 0.19, ky + 0.03), (kx - 0.19, ky + 0.03)]
        brush.shape(skirt, person.trousers)


def pose_of(person: Person, time: float) -> Pose:
    """Return a person's pose at a time of the clip; a held hand decides the arms."""
    pose = pose_at(person.action, time)
    if not person.reach:
        return pose
    towards = person.reach * person.facing
    arms = (-0.25, 0.75) if towards > 0 else (-0.75, 0.25)
    return Pose(arms=arms, legs=pose.legs)


def draw_person(
    draw: ImageDraw.ImageDraw, person: Person, time: float, side: int, prop: Colour
) -> None:
    """Paint one person at a time of the clip."""
    pose = pose_of(person, time)
    joints = joints_of(pose)
    brush = _Brush(draw, person, side)
    _arm(brush, person, joints, 0)
    _body(brush, person, joints)
    _head(brush, person, joints)
    _arm(brush, person, joints, 1)
    if pose.prop is not None:
        place = joints.hands[1] if math.isnan(pose.prop[0]) else pose.prop
        brush.disc(place, 0.06, prop)


class _Bystander:
    """Somebody who stands: only the arms move, so the rest is painted once.

    Args:
        person: Who; the action is ``stand``.
        side: Of the picture, in pixels.
    """

    def __init__(self, person: Person, side: int) -> None:
        self.person, self.side = person, side
        joints = joints_of(pose_of(person, 0.0))
        picture, shape = Image.new("RGB", (side, side)), Image.new("1", (side, side))
        for image, ink in ((picture, None), (shape, 1)):
            brush = _Brush(ImageDraw.Draw(image), person, side, ink)
            _body(brush, person, joints)
            _head(brush, person, joints)
        box = shape.getbbox() or (0, 0, 1, 1)
        self.corner, self.picture, self.shape = box[:2], picture.crop(box), shape.crop(box)

    def paint(self, image: Image.Image, draw: ImageDraw.ImageDraw, time: float) -> None:
        """Paint the person as :func:`draw_person` does, to the last bit."""
        joints = joints_of(pose_of(self.person, time))
        brush = _Brush(draw, self.person, self.side)
        _arm(brush, self.person, joints, 0)
        image.paste(self.picture, self.corner, self.shape)
        _arm(brush, self.person, joints, 1)


def time_of(scene: Scene, frame: int, clip_frames: int) -> float:
    """Return the time of a frame as a share of the action."""
    return scene.start + scene.tempo * frame / max(1, clip_frames - 1)


def render(
    scene: Scene, clip_frames: int, size: int, only: Sequence[int] | None = None
) -> NDArray[np.uint8]:
    """Paint the clip.

    Args:
        scene: What to show.
        clip_frames: Number of frames ``T``, spread evenly over the action.
        size: Height and width in pixels.
        only: Frames to paint, ``None`` for all; a frame looks the same either way.

    Returns:
        Frames, shape ``(T, size, size, 3)`` or ``(len(only), size, size, 3)``, RGB, uint8.
    """
    side = size * SUPERSAMPLING
    backdrop = draw_backdrop(scene, side)
    draw_object(ImageDraw.Draw(backdrop), scene, side)
    wanted = range(clip_frames) if only is None else only
    bystanders = {
        id(person): _Bystander(person, side)
        for person in scene.people
        if person.action == "stand" and len(wanted) > 1
    }
    frames = np.empty((len(wanted), size, size, 3), np.uint8)
    for row, t in enumerate(wanted):
        image: Image.Image = backdrop.copy()
        draw, time = ImageDraw.Draw(image), time_of(scene, t, clip_frames)
        for person in scene.people:
            if id(person) in bystanders:
                bystanders[id(person)].paint(image, draw, time)
            else:
                draw_person(draw, person, time, side, scene.prop)
        frames[row] = _light(np.asarray(image.reduce(SUPERSAMPLING)), scene, t)
    return frames


def _light(frame: NDArray[np.uint8], scene: Scene, t: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng([scene.noise_seed, t])
    noise = rng.integers(-4, 5, frame.shape, dtype=np.int16)
    lit = frame * _gain(scene.brightness, scene.tint, frame.shape)
    lit += noise
    return lit.clip(0, 255, out=lit).astype(np.uint8)


@lru_cache(maxsize=1)
def _gain(
    brightness: float, tint: tuple[float, float, float], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Return the light of every pixel: NumPy is slow where rows of three are multiplied."""
    gain = np.float32(brightness) * np.asarray(tint, np.float32)
    return np.ascontiguousarray(np.broadcast_to(gain, shape))
