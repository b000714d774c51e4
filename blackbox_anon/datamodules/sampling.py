"""The order of training samples, from ``(seed, stream, epoch)`` alone."""

from collections.abc import Iterator

import numpy as np
import torch
import torch.distributed as dist
from torch.utils.data import DistributedSampler


class EpochSampler(DistributedSampler[int]):
    """A shuffle that is the same whenever an epoch is run, so a resumed run repeats no order.

    Lightning calls :meth:`set_epoch` before each epoch, within a ``CombinedLoader`` too. Ranks
    get disjoint parts of equal length; the up to ``world_size - 1`` samples left over differ from
    epoch to epoch. It is a ``DistributedSampler`` so that Lightning puts no second one in its
    place: ``use_distributed_sampler`` may stay on.

    Args:
        length: Samples in the dataset.
        seed: Seed of the run.
        stream: Tells apart loaders of one run; equal streams would shuffle equal lengths alike.
        rank: This process; ``None`` asks ``torch.distributed`` (0 where it is not initialised).
        world_size: Number of processes; ``None`` asks likewise (1).

    Raises:
        ValueError: If a rank would get no sample, or ``seed``, ``stream`` or ``rank`` is out of
            range.

    Example:
        >>> sampler = EpochSampler(6, seed=0)
        >>> first = list(sampler)
        >>> sampler.set_epoch(1)
        >>> list(sampler) == first, sorted(sampler) == sorted(first)
        (False, True)
    """

    def __init__(
        self,
        length: int,
        seed: int = 0,
        *,
        stream: int = 0,
        rank: int | None = None,
        world_size: int | None = None,
    ) -> None:
        running = dist.is_available() and dist.is_initialized()
        rank = rank if rank is not None else (dist.get_rank() if running else 0)
        world = world_size if world_size is not None else (dist.get_world_size() if running else 1)
        if length < world:
            raise ValueError(
                f"length: expected at least one sample per rank ({world}), found {length}"
            )
        if seed < 0 or stream < 0:
            raise ValueError(f"seed, stream: expected 0 or more, found {seed}, {stream}")
        super().__init__(
            range(length),  # type: ignore[arg-type]  # only its length is read
            num_replicas=world,
            rank=rank,
            seed=seed,
            drop_last=True,
        )
        self.length = length
        self.stream = stream
        self.start = 0
        """Samples of this rank to leave out at the front, of a pass that was begun before."""

    def generator(self) -> torch.Generator:
        """Return a new generator, seeded by ``(seed, stream, epoch)``."""
        words = np.random.SeedSequence([self.seed, self.stream, self.epoch]).generate_state(2)
        return torch.Generator().manual_seed(int(words[0]) << 31 ^ int(words[1]))

    def __iter__(self) -> Iterator[int]:
        order: list[int] = torch.randperm(self.length, generator=self.generator()).tolist()
        return iter(order[self.rank : self.total_size : self.num_replicas][self.start :])
