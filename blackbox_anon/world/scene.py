"""What a clip shows, drawn at random but from its own seed: people, place, light, attributes."""

import colorsys
from dataclasses import dataclass

import numpy as np

from blackbox_anon.datasets.attributes import VISPR1_ATTRIBUTES
from blackbox_anon.world.actions import ACTIONS

Colour = tuple[int, int, int]

ATTRIBUTES: tuple[str, ...] = VISPR1_ATTRIBUTES
"""The seven VISPR1 attributes in their published order."""

PLACES: tuple[str, ...] = ("park", "street", "room", "beach")
OBJECTS: tuple[str, ...] = ("nothing", "ball", "box", "cone")
SPLITS: tuple[str, ...] = ("train", "val", "test")

_SKIN: tuple[Colour, ...] = (
    (255, 219, 190),
    (241, 194, 150),
    (224, 172, 115),
    (198, 134, 80),
    (160, 104, 58),
    (120, 76, 42),
    (90, 56, 34),
)
_HAIR: tuple[Colour, ...] = (
    (40, 28, 20),
    (90, 58, 30),
    (222, 184, 92),
    (150, 60, 30),
    (20, 20, 24),
)


@dataclass(frozen=True, kw_only=True)
class Person:
    """How one person looks and where they stand (share of the frame)."""

    action: str
    x: float
    ground: float
    height: float
    facing: int
    skin: Colour
    shirt: Colour
    trousers: Colour
    hair: Colour
    face: str
    hooded: bool
    long_hair: bool
    semi_nude: bool
    reach: float = 0.0
    """Side (-1 or 1) of a partner whose hand is held, 0 for none."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Everything that decides the pixels of one clip."""

    action: int
    attributes: tuple[int, ...]
    place: int
    object: int
    people: tuple[Person, ...]
    sky: Colour
    floor: Colour
    horizon: float
    prop: Colour
    object_x: float
    brightness: float
    tint: tuple[float, float, float]
    start: float
    tempo: float
    noise_seed: int


def _hsv(rng: np.random.Generator, hue: tuple[float, float], low: float = 0.45) -> Colour:
    h = rng.uniform(*hue) % 1.0
    r, g, b = colorsys.hsv_to_rgb(h, rng.uniform(0.45, 0.95), rng.uniform(low, 0.95))
    return int(255 * r), int(255 * g), int(255 * b)


def _look(rng: np.random.Generator, flags: dict[str, bool], face: str) -> dict[str, object]:
    """Draw one person's looks; the flags hold for everybody in the clip."""
    cloth = (0.2, 0.95)  # hues away from natural skin
    return {
        "skin": _SKIN[rng.integers(len(_SKIN))] if flags["skin"] else _hsv(rng, (0.3, 0.85)),
        "shirt": _hsv(rng, cloth),
        "trousers": _hsv(rng, cloth, 0.25),
        "hair": _HAIR[rng.integers(len(_HAIR))],
        "face": face,
        "hooded": not flags["gender"],
        "long_hair": bool(rng.integers(2)),
        "semi_nude": flags["nude"],
        "facing": 1 if rng.integers(2) else -1,
    }


def _crowd(
    rng: np.random.Generator, flags: dict[str, bool], face: str, ground: float, side: int
) -> list[Person]:
    """Place a couple on one side of the actor and a group on the other."""
    crowd: list[Person] = []

    def add(x: float, height: float, reach: float = 0.0) -> None:
        look = _look(rng, flags, face)
        crowd.append(
            Person(action="stand", x=x, ground=ground - 0.03, height=height, reach=reach, **look)  # type: ignore[arg-type]  # a dict of the fields
        )

    if flags["personal"]:
        centre, height = 0.5 + side * rng.uniform(0.27, 0.31), rng.uniform(0.44, 0.5)
        gap = rng.uniform(0.055, 0.085)
        add(centre - gap, height, 1.0)
        add(centre + gap, height, -1.0)
    if flags["social"]:
        for offset in (0.16, 0.285, 0.41):
            x = 0.5 - side * (offset + rng.uniform(-0.015, 0.015))
            add(x, rng.uniform(0.34, 0.4))
    return crowd


def scene_of(seed: int, split: str, index: int) -> Scene:
    """Draw the scene of one sample: a pure function of its arguments.

    Args:
        seed: World seed, non-negative.
        split: One of ``train``, ``val``, ``test``; each has its own random streams.
        index: Position in the split, non-negative.

    Raises:
        ValueError: If the split is unknown.
    """
    if split not in SPLITS:
        msg = f"`split` must be one of {SPLITS}; found {split!r}"
        raise ValueError(msg)
    rng = np.random.default_rng([seed, SPLITS.index(split), index])
    action = int(rng.integers(len(ACTIONS)))
    face = ("complete", "partial", "hidden")[rng.choice(3, p=(0.38, 0.32, 0.3))]
    flags = {
        "skin": bool(rng.random() < 0.5),
        "gender": bool(rng.random() < 0.5),
        "nude": bool(rng.random() < 0.4),
        "personal": bool(rng.random() < 0.38),
        "social": bool(rng.random() < 0.38),
    }
    attributes = (
        flags["skin"],
        flags["gender"],
        face == "complete",
        face == "partial",
        flags["nude"],
        flags["personal"],
        flags["social"],
    )
    place = int(rng.integers(len(PLACES)))
    sky, floor = _backdrop(rng, place)
    ground = rng.uniform(0.86, 0.95)
    side = 1 if rng.integers(2) else -1
    lonely = not (flags["personal"] or flags["social"])
    drift = rng.uniform(-0.1, 0.1) if lonely else rng.uniform(-0.03, 0.03)
    actor = Person(
        action=ACTIONS[action],
        x=0.5 + drift,
        ground=ground,
        height=rng.uniform(0.6, 0.72),
        **_look(rng, flags, face),  # type: ignore[arg-type]  # a dict of the fields
    )
    people = (*_crowd(rng, flags, face, ground, side), actor)
    return Scene(
        action=action,
        attributes=tuple(int(a) for a in attributes),
        place=place,
        object=int(rng.integers(len(OBJECTS))),
        people=people,
        sky=sky,
        floor=floor,
        horizon=rng.uniform(0.6, 0.75),
        prop=_hsv(rng, (0.0, 1.0)),
        object_x=rng.choice((-1, 1)) * rng.uniform(0.3, 0.42) + 0.5,
        brightness=rng.uniform(0.8, 1.1),
        tint=tuple(float(v) for v in rng.uniform(0.94, 1.06, 3)),  # type: ignore[arg-type]  # three of them
        start=rng.uniform(-0.04, 0.04),
        tempo=rng.uniform(0.95, 1.1),
        noise_seed=int(rng.integers(2**31)),
    )


def _backdrop(rng: np.random.Generator, place: int) -> tuple[Colour, Colour]:
    base: tuple[tuple[Colour, Colour], ...] = (
        ((170, 205, 240), (110, 160, 80)),
        ((185, 190, 200), (120, 120, 125)),
        ((225, 210, 180), (150, 105, 70)),
        ((120, 185, 230), (232, 210, 150)),
    )
    jitter = rng.integers(-18, 19, (2, 3))
    sky, floor = (
        tuple(int(np.clip(c + j, 0, 255)) for c, j in zip(colour, row, strict=True))
        for colour, row in zip(base[place], jitter, strict=True)
    )
    return sky, floor  # type: ignore[return-value]  # triples of three channels
