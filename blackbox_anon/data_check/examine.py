"""Examine one part: its size, its files, its labels."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from torch.utils.data import DataLoader, Dataset

from blackbox_anon.data_check.parts import Part
from blackbox_anon.data_check.remarks import remarks
from blackbox_anon.datasets import ATTRIBUTE_NAMES, AbstractDataset, UnreadableFileError
from blackbox_anon.errors import DatasetNotFoundError


class Verdict(NamedTuple):
    """About one file that was opened."""

    reason: str | None
    """Why it cannot be read."""
    remarks: list[str]
    """What is odd about it."""


Opened = dict[Path, Verdict]
"""Files that were opened."""


@dataclass(kw_only=True)
class Findings:
    """What was found out about one part.

    Attributes:
        part: Which.
        absent: Why nothing could be read at all; all else is empty then.
        samples: Entries of the official list.
        official: How many there should be.
        left_out: How many of them the leak guard leaves out.
        files: Different media files.
        missing: Listed files that are not there.
        unreadable: Files or annotations that cannot be read, with the reason.
        remarks: Files that can be read and are odd all the same.
        opened: Whether files were opened.
        classes: Samples of each class.
        attributes: Positive samples of each attribute.
    """

    part: Part
    absent: str | None = None
    samples: int = 0
    official: int | None = None
    left_out: int = 0
    files: int = 0
    missing: list[Path] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)
    opened: bool = False
    classes: dict[str, int] = field(default_factory=dict)
    attributes: dict[str, int] = field(default_factory=dict)

    @property
    def sound(self) -> bool:
        """Whether all is there, readable, and as many as in the official release."""
        counted = self.official is None or self.samples == self.official
        return self.absent is None and counted and not self.missing and not self.unreadable


def examine(part: Part, opened: Opened, *, quick: bool = False) -> Iterator[Findings]:
    """Look at one part, and say so after every file.

    Args:
        part: What to look at.
        opened: Files that other parts have opened already; gains those opened here.
        quick: Look at names and labels only.

    Yields:
        The findings so far, the same object every time; complete at the end.
    """
    found = Findings(part=part)
    try:
        dataset = part.official()
    except DatasetNotFoundError as error:
        found.absent = str(error)
        yield found
        return
    with suppress(DatasetNotFoundError):  # of a test set that is not there; its part says so
        found.left_out = part.left_out()
    found.samples = len(dataset)
    found.official = part.module.official_count(part.stage, part.role)
    _count_labels(dataset, found)
    last = {dataset.file(i): i for i in range(len(dataset))}  # of a clip's frames the last one
    found.files = len(last)
    found.missing = [file for file in last if not file.is_file()]
    yield found
    if quick:
        return
    found.opened = True
    absent = set(found.missing)
    wanted = {file: i for file, i in last.items() if file not in opened and file not in absent}
    for file, verdict in _open(dataset, wanted, part.module.num_workers):
        opened[file] = verdict
        yield found
    for file in last:
        reason, odd = opened.get(file, Verdict(None, []))
        if reason:
            found.unreadable[str(file)] = reason
        if odd:
            found.remarks[str(file)] = "; ".join(odd)
    yield found


def _count_labels(dataset: AbstractDataset, found: Findings) -> None:
    classes: Counter[int] = Counter()
    positives = [0] * len(dataset.attributes)
    for i in range(len(dataset)):
        try:
            targets = dataset.targets(i)
        except UnreadableFileError as error:
            found.unreadable[error.path] = error.reason
            continue
        if "label" in targets:
            classes[targets["label"]] += 1
        if "attributes" in targets:
            row = targets["attributes"].tolist()
            positives = [n + int(value > 0) for n, value in zip(positives, row, strict=True)]
    found.classes = {name: classes[i] for i, name in enumerate(dataset.classes)}
    names = (f"{a} ({ATTRIBUTE_NAMES.get(a, a)})" for a in dataset.attributes)
    found.attributes = dict(zip(names, positives, strict=True))


def _open(
    dataset: AbstractDataset, wanted: Mapping[Path, int], num_workers: int
) -> Iterator[tuple[Path, Verdict]]:
    files = list(wanted)
    opening = _Opening(dataset, list(wanted.values()))
    loader: DataLoader[Any] = DataLoader(opening, batch_size=None, num_workers=num_workers)
    yield from zip(files, loader, strict=True)


class _Opening(Dataset[Verdict]):
    """Reads samples as training does."""

    def __init__(self, dataset: AbstractDataset, indices: list[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, position: int) -> Verdict:
        index = self.indices[position]
        try:
            self.dataset.frames(index)
        except UnreadableFileError as error:
            return Verdict(error.reason, [])
        return Verdict(None, remarks(self.dataset.file(index)))
