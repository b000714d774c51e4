"""PA-HMDB51: every labelled frame, with the private attributes it shows."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.datasets.abstract import AbstractDataset
from blackbox_anon.datasets.attributes import PA_HMDB51_ATTRIBUTES, known_attributes
from blackbox_anon.datasets.hmdb import VIDEO_FOLDERS
from blackbox_anon.datasets.pa_hmdb_labels import (
    EXPECTED,
    SemiNudityFrom,
    attribute_rules,
    read_annotations,
)
from blackbox_anon.datasets.video_files import videos_of
from blackbox_anon.decoding import ClipReader, EveryFrame, UnreadableFileError


class PAHMDB51Frames(AbstractDataset):
    """PA-HMDB51's 52,411 frames that are labelled for all five tracks; a test set.

    Expects what :class:`PAHMDB51` does. A frame that only some tracks label is no sample, and some
    clips' labels start after frame 0. Attributes are VISPR's six (``PA_HMDB51_ATTRIBUTES``) or
    VITA's five (``VITA_ATTRIBUTES``), in any order: skin colour, gender, relationship, any face
    and any nudity where the value is not 0, a complete face where it is 2, a partial face where it
    is 1, semi-nudity by ``semi_nudity_from``. A list of values, or overlapping ranges, mean that
    the values coexist. HMDB51's AVI headers count one frame too many: a label one frame past the
    end is given the last frame.

    A sample is ``frames`` ``(3, H, W)`` in ``[0, 1]``, ``attributes`` ``(A,)``, ``name``
    (``<action>/<clip>.avi/<frame>``). Read in order, a clip is decoded once.

    Args:
        root: The folder with ``PrivacyAttributes``.
        hmdb_root: The folder with HMDB51's videos; ``None`` is ``root``.
        attributes: Ids in the order of the label columns.
        semi_nudity_from: Smallest nudity that is semi-nudity: 2, half naked, or 1, some skin.
        reader: Size, crop and decoder; its sampling is replaced by every frame.

    Raises:
        DatasetNotFoundError: If the annotations or the videos folder are missing or damaged.
        ValueError: If an attribute or ``semi_nudity_from`` is unknown.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        hmdb_root: str | Path | None = None,
        attributes: Sequence[str] = PA_HMDB51_ATTRIBUTES,
        semi_nudity_from: SemiNudityFrom = 2,
        reader: ClipReader | None = None,
    ) -> None:
        if semi_nudity_from not in (1, 2):
            raise ValueError(f"semi_nudity_from: expected 1 or 2, found {semi_nudity_from!r}")
        rules = attribute_rules(semi_nudity_from)
        self.attributes = known_attributes(attributes, rules)
        self.classes: list[str] = []
        self.reader = copy.copy(reader or ClipReader())
        self.reader.sampling = EveryFrame()
        clips = read_annotations(root)
        self._samples = [(clip.name, frame) for clip in clips for frame in clip.frames]
        self.names = [f"{name}/{frame:06d}" for name, frame in self._samples]
        self.labels = torch.tensor(
            [
                [rules[a](labels) for a in self.attributes]
                for clip in clips
                for labels in clip.frames.values()
            ],
            dtype=torch.float32,
        )
        folders = sorted({clip.name.split("/")[0] for clip in clips})
        self._videos = videos_of(hmdb_root or root, VIDEO_FOLDERS, folders, f"PA-HMDB51 {EXPECTED}")
        self._decoded: tuple[Path, Tensor | UnreadableFileError] | None = None

    @property
    @override
    def origins(self) -> list[str]:
        return [name for name, _ in self._samples]

    @override
    def file(self, index: int) -> Path:
        return self._videos.find(self._samples[index][0])

    @override
    def targets(self, index: int) -> dict[str, Any]:
        return {"attributes": self.labels[index]}

    @override
    def frames(self, index: int) -> Tensor:
        path, wanted = self.file(index), self._samples[index][1]
        if self._decoded is None or self._decoded[0] != path:
            self._decoded = (path, self._read(path))
        clip = self._decoded[1]
        if isinstance(clip, UnreadableFileError):
            raise clip
        if wanted > len(clip):
            raise UnreadableFileError(
                path, f"labels reach frame {wanted}, the clip has {len(clip)} frames"
            )
        return clip[min(wanted, len(clip) - 1)]

    def _read(self, path: Path) -> Tensor | UnreadableFileError:
        """All frames of a clip, or why there are none: a bad clip, too, is tried once."""
        try:
            return self.reader(path)
        except UnreadableFileError as error:
            return error

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_decoded": None}  # workers decode for themselves
