"""Clips of a set with video-level private attributes beside their action."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.datasets.abstract import AbstractDataset
from blackbox_anon.datasets.attributes import VITA_ATTRIBUTES, known_attributes
from blackbox_anon.datasets.lists import name_key
from blackbox_anon.errors import DatasetNotFoundError


class VideoAttributes(AbstractDataset):
    """The clips of a set, each with attributes beside its action.

    Args:
        clips: Clips with ``label``.
        labels: By :func:`~blackbox_anon.datasets.lists.name_key`, columns as ``VITA_ATTRIBUTES``.
        attributes: Columns to keep, in this order.

    Raises:
        DatasetNotFoundError: If a clip has no labels.
        ValueError: If an attribute is unknown.
    """

    def __init__(
        self,
        clips: AbstractDataset,
        labels: dict[str, tuple[float, ...]],
        *,
        attributes: Sequence[str] = VITA_ATTRIBUTES,
    ) -> None:
        kept = known_attributes(attributes, VITA_ATTRIBUTES)
        absent = [name for name in clips.names if name_key(name) not in labels]
        if absent:
            raise DatasetNotFoundError(
                f"expected attributes of every listed clip; {len(absent)} have none, such as "
                f"{absent[0]!r}"
            )
        self.clips = clips
        self.names, self.classes = clips.names, clips.classes
        self.attributes = kept
        columns = [VITA_ATTRIBUTES.index(a) for a in kept]
        self._labels = torch.tensor([labels[name_key(name)] for name in self.names])[:, columns]

    @override
    def file(self, index: int) -> Path:
        return self.clips.file(index)

    @override
    def targets(self, index: int) -> dict[str, Any]:
        return {**self.clips.targets(index), "attributes": self._labels[index]}

    @override
    def frames(self, index: int) -> Tensor:
        return self.clips.frames(index)
