"""A training loader that a run can leave and enter again in the middle of an epoch."""

from collections.abc import Iterator
from typing import Any

from torch.utils._pytree import tree_map
from torch.utils.data import DataLoader
from typing_extensions import override

from blackbox_anon.datamodules.read_ahead import ReadAhead
from blackbox_anon.datamodules.sampling import EpochSampler


class ResumableLoader(DataLoader[Any]):
    """A loader whose place in an epoch is the number of batches it has given.

    Lightning keeps :meth:`state_dict` in its checkpoints. A loader with the state loaded begins
    behind the batches given before, without reading them; so neither the number of workers nor
    what they had fetched ahead matters. A data set that draws at random must draw from
    ``(seed, epoch, index)``: the generators of worker processes are not kept.

    Nothing is read, and no worker started, before the first batch is asked for: Lightning makes
    its iterators before it tells the sampler which epoch it is.

    Who has nothing better to do can have the next batch read before it is asked for:
    :meth:`read_ahead`.

    The sampler must be an :class:`~blackbox_anon.datamodules.EpochSampler`.

    Example:
        >>> def loader():
        ...     return ResumableLoader(range(6), batch_size=2, sampler=EpochSampler(6))
        >>> first, again = loader(), loader()
        >>> whole = [batch.tolist() for batch in loader()]
        >>> begun = next(iter(first)).tolist()
        >>> again.load_state_dict(first.state_dict())
        >>> [begun, *(batch.tolist() for batch in again)] == whole
        True
    """

    _given = 0
    _entered: tuple[int, int] | None = None  # epoch and batches to begin with, once
    _reader: "ReadAhead | None" = None  # of the current pass

    @override
    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # DataLoader's own is eager
        return self._batches()

    def state_dict(self) -> dict[str, int]:
        """Return the epoch, and the batches given in the current pass over the data."""
        return {"epoch": self._order.epoch, "batches": self._given}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Begin the next pass there, if it is one of the same epoch."""
        self._entered = (state_dict["epoch"], state_dict["batches"])

    def read_ahead(self) -> object:
        """Read the batch that the current pass gives next, unless it is read.

        What goes wrong is raised when its turn comes.

        Returns:
            The batch, which is still to be given, or ``None`` where there is none.
        """
        return None if self._reader is None else self._reader.read()

    @property
    def _order(self) -> EpochSampler:
        sampler = self.sampler
        if not isinstance(sampler, EpochSampler):
            msg = f"`sampler` must be an EpochSampler; found {type(sampler).__name__}"
            raise TypeError(msg)
        return sampler

    def _batches(self) -> Iterator[Any]:
        entered, self._entered = self._entered, None
        epoch, batches = entered or (self._order.epoch, 0)
        self._given = batches if epoch == self._order.epoch else 0
        self._order.start = self._given * int(self.batch_size or 1)
        self.generator = self._order.generator()  # seeds workers; else from the global generator
        self._reader = ReadAhead(super().__iter__())
        for batch in self._reader:
            self._given += 1
            yield batch


def read_ahead(loaders: object) -> object:
    """Have resumable loaders read their next batch.

    Args:
        loaders: A loader, or a collection of them as a trainer takes it; others are left alone.

    Returns:
        The batches, which are still to be given, collected as the loaders are; ``None`` for others.
    """

    def read(loader: object) -> object:
        return loader.read_ahead() if isinstance(loader, ResumableLoader) else None

    found: object = tree_map(read, loaders)
    return found
