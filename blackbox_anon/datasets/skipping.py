"""Replace an unreadable sample by its next readable neighbour, and say so."""

import logging
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from torch.utils.data import Dataset, default_collate

from blackbox_anon.datasets.unreadable import UnreadableFileError
from blackbox_anon.errors import UnreadableDataError

logger = logging.getLogger(__name__)

Sample = dict[str, Any]


class IndexedSamples(Protocol):
    """Anything with a length and samples by index."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...


class SkipUnreadable(Dataset[Sample]):
    """A dataset whose unreadable samples are replaced by the next readable index.

    Which sample an index gives depends on the files alone, never on what was read before. Every
    sample carries the paths that failed on the way under ``unreadable``, and every path is logged
    once per process. Each worker counts the files that *it* saw fail; the union over workers is
    counted in the main process from the collated batches (the data modules do it).

    Args:
        dataset: Raises :class:`~blackbox_anon.datasets.UnreadableFileError` for a bad file.
        max_unreadable: Different files that may fail in this process before the run is stopped.

    Raises:
        ValueError: If ``max_unreadable`` is negative.
    """

    def __init__(self, dataset: IndexedSamples, *, max_unreadable: int = 10) -> None:
        if max_unreadable < 0:
            raise ValueError(f"max_unreadable: expected 0 or more, found {max_unreadable}")
        self.dataset = dataset
        self.max_unreadable = max_unreadable
        self._failed: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Sample:
        failed: list[str] = []
        for step in range(len(self)):
            try:
                sample = self.dataset[(index + step) % len(self)]
            except UnreadableFileError as error:
                self._report(error)
                failed.append(error.path)
            else:
                return {**sample, "unreadable": failed}
        raise UnreadableDataError(f"not one of {len(self)} files could be read{listed(failed)}")

    def _report(self, error: UnreadableFileError) -> None:
        if error.path in self._failed:
            return
        self._failed[error.path] = error.reason
        logger.warning("Unreadable, replaced by the next sample: %s", error)
        check_unreadable(self._failed, self.max_unreadable)


def check_unreadable(paths: Iterable[str], max_unreadable: int) -> None:
    """Stop the run once more than ``max_unreadable`` different files have failed.

    Args:
        paths: The files that failed so far.
        max_unreadable: How many the run allows.

    Raises:
        UnreadableDataError: Naming all paths.
    """
    different = sorted(set(paths))
    if len(different) > max_unreadable:
        raise UnreadableDataError(
            f"max_unreadable: expected at most {max_unreadable} unreadable files, "
            f"found {len(different)}{listed(different)}"
        )


def listed(paths: Iterable[str]) -> str:
    """Paths one per line, to follow a message."""
    return ":" + "".join(f"\n  {path}" for path in paths)


def collate(samples: Sequence[Sample]) -> Sample:
    """Stack samples into a batch; ``unreadable`` becomes one flat list of paths.

    Lists, such as the answers to a question, stay one list per sample.

    Args:
        samples: Dictionaries with equal keys, as :class:`SkipUnreadable` gives them.

    Returns:
        The batch, tensors stacked, strings in a list.
    """
    unreadable = [path for sample in samples for path in sample.get("unreadable", ())]
    lists = {key for key, value in samples[0].items() if isinstance(value, list)} - {"unreadable"}
    left = {"unreadable", *lists}
    batch: Sample = default_collate(
        [{key: value for key, value in sample.items() if key not in left} for sample in samples]
    )
    kept = {key: [sample[key] for sample in samples] for key in lists}
    return {**batch, **kept, "unreadable": unreadable}
