"""One way to build a loader, so that workers and resuming never change a sample."""

from typing import Any

import torch
from torch.utils.data import DataLoader, Sampler

from blackbox_anon.datamodules.resumable import ResumableLoader
from blackbox_anon.datamodules.sampling import EpochSampler
from blackbox_anon.datasets.skipping import IndexedSamples, SkipUnreadable, collate


def build_loader(
    dataset: IndexedSamples,
    *,
    batch_size: int,
    num_workers: int,
    max_unreadable: int,
    sampler: Sampler[int] | None = None,
) -> DataLoader[Any]:
    """A loader whose batches carry ``unreadable``, the paths that failed.

    Args:
        dataset: Raises ``UnreadableFileError`` for a bad file.
        batch_size: Samples per batch; the last batch may be smaller.
        num_workers: Worker processes; they live as long as the loader.
        max_unreadable: Different unreadable files one worker tolerates.
        sampler: Order of the samples; ``None`` is the dataset's own. With an
            :class:`~blackbox_anon.datamodules.EpochSampler` a run can be resumed within an epoch.

    Returns:
        The loader.
    """
    loader = ResumableLoader if isinstance(sampler, EpochSampler) else DataLoader
    return loader(
        SkipUnreadable(dataset, max_unreadable=max_unreadable),
        batch_size=batch_size,
        sampler=sampler,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,  # each warns about a file once, not once per epoch
        collate_fn=collate,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),  # else every epoch draws from the global generator
    )
