"""PA-HMDB51's annotation files: five tracks per clip, each a list of labelled frame ranges."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from blackbox_anon.datasets.attributes import VITA_ATTRIBUTES
from blackbox_anon.errors import DatasetNotFoundError

logger = logging.getLogger(__name__)

FrameLabels = Mapping[str, frozenset[int]]
"""Track to the values that coexist in one frame."""
SemiNudityFrom = Literal[1, 2]

EXPECTED = """expected
  <root>/PrivacyAttributes/<action>.json                    51 files
  <hmdb_root>/hmdb51_org/<action>/<clip>.avi                the videos are HMDB51's
Get the folder PrivacyAttributes from the repository PA-HMDB51 of VITA-Group on GitHub, and
hmdb51_org.rar from the HMDB51 page of the Serre Lab, Brown University."""


@dataclass(frozen=True, kw_only=True)
class AnnotatedClip:
    """One clip of PA-HMDB51.

    Attributes:
        name: ``<action>/<clip>.avi``.
        frames: Frame index to its labels, for frames that all five tracks label, ascending.
    """

    name: str
    frames: dict[int, FrameLabels]


def pa_hmdb51_classes(root: str | Path) -> list[str]:
    """Actions in alphabetical order, which is the order of labels; needs no video.

    Args:
        root: As for :class:`~blackbox_anon.datasets.PAHMDB51`.

    Returns:
        The names.

    Raises:
        DatasetNotFoundError: If there are no annotation files.
    """
    return sorted(file.stem for file in _files(Path(root)))


def read_annotations(root: str | Path) -> list[AnnotatedClip]:
    """Read all annotation files.

    Older copies hold some clips twice, once under another action; the entry whose action stands
    in the clip's name is kept.

    Args:
        root: As for :class:`~blackbox_anon.datasets.PAHMDB51`.

    Returns:
        The clips by action and name.

    Raises:
        DatasetNotFoundError: If a file is missing or damaged.
    """
    found: dict[str, AnnotatedClip] = {}
    dropped = 0
    for file in sorted(_files(Path(root)), key=lambda file: file.stem):
        for clip, record in _records(file):
            known = found.get(clip)
            dropped += known is not None
            if known is None or f"_{file.stem}_" in clip:
                found[clip] = AnnotatedClip(
                    name=f"{file.stem}/{clip}", frames=_frames(file, clip, record)
                )
    if dropped:
        logger.warning("%s: %d repeated clips left out", root, dropped)
    return sorted(found.values(), key=lambda clip: (clip.name.split("/")[0], clip.name))


def attribute_rules(
    semi_nudity_from: SemiNudityFrom,
) -> dict[str, Callable[[FrameLabels], bool]]:
    """How labels become attributes, for VISPR's six ids and VITA's five names.

    Args:
        semi_nudity_from: Smallest nudity that is semi-nudity: 2, half naked, or 1, some skin.

    Returns:
        Attribute id to a predicate on a frame's labels.
    """
    rules: dict[str, Callable[[FrameLabels], bool]] = {
        "a17_color": lambda labels: any(labels["skin_color"]),
        "a4_gender": lambda labels: any(labels["gender"]),
        "a9_face_complete": lambda labels: 2 in labels["face"],
        "a10_face_partial": lambda labels: 1 in labels["face"],
        "a12_semi_nudity": lambda labels: max(labels["nudity"]) >= semi_nudity_from,
        "a64_rel_personal": lambda labels: any(labels["relationship"]),
    }
    for track in VITA_ATTRIBUTES:
        rules[track] = lambda labels, track=track: any(labels[track])  # type: ignore[misc]  # a default binds it
    return rules


def _files(root: Path) -> list[Path]:
    for folder in (root / "PrivacyAttributes", root):
        files = [file for file in folder.glob("*.json") if not file.name.startswith(".")]
        if files:
            return files
    raise DatasetNotFoundError(f"PA-HMDB51 not found: no {root / 'PrivacyAttributes'};\n{EXPECTED}")


def _records(file: Path) -> list[tuple[str, Any]]:
    try:
        pairs = json.loads(file.read_text("utf-8"), object_pairs_hook=_Pairs)
    except ValueError as error:
        raise DatasetNotFoundError(f"{file}: expected JSON, found {error}") from error
    if not isinstance(pairs, _Pairs):
        raise DatasetNotFoundError(f"{file}: expected an object of clips, found {type(pairs)}")
    return list(pairs)


class _Pairs(list[tuple[str, Any]]):
    """An object of JSON with its repeated keys."""


def _frames(file: Path, clip: str, record: Any) -> dict[int, FrameLabels]:  # noqa: ANN401  # whatever the JSON holds
    try:
        tracks = {track: _track(dict(record)[track]) for track in VITA_ATTRIBUTES}
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetNotFoundError(
            f"{file}: {clip}: expected lists [first, last, value] for each of {VITA_ATTRIBUTES}, "
            f"found {type(error).__name__}: {error}"
        ) from error
    labelled = set.intersection(*(set(values) for values in tracks.values()))
    return {i: {name: tracks[name][i] for name in tracks} for i in sorted(labelled)}


def _track(ranges: list[Any]) -> dict[int, frozenset[int]]:
    """Values per frame; where ranges overlap, the values of both coexist."""
    values: dict[int, frozenset[int]] = {}
    for first, last, value in ranges:
        here = frozenset(map(int, value if isinstance(value, list) else [value]))
        for i in range(int(first), int(last) + 1):
            values[i] = values.get(i, frozenset()) | here
    return values
