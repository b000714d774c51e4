"""What the frozen encoder makes of frames, for a few of them before their turn."""

from collections.abc import Mapping

import torch
from torch import Tensor

from blackbox_anon.anonymizers import UNetAnonymizer

_PATIENCE = 3  # batches whose features nobody wanted


def encoded(anonymizer: UNetAnonymizer, frames: Tensor) -> list[Tensor]:
    """Return the encoder's features in float32: a pair's difference is lost in bf16."""
    return [level.float() for level in anonymizer.features(frames)]


class FeaturesAhead:
    """Encodes frames; those of the next batch's first samples while a query is in flight.

    The encoder is frozen, so they depend on nothing that a step changes, and the next step asks
    about its first samples as soon as they are decoded. On a GPU nothing is made ahead: to compare
    frames would have the processor wait for it. Nor is it any longer where what was made is never
    wanted, as by an estimator that asks about some of a batch.

    Args:
        anonymizer: Whose encoder.
    """

    def __init__(self, anonymizer: UNetAnonymizer) -> None:
        self._anonymizer = anonymizer
        self._prepared: tuple[Tensor, int, list[Tensor]] | None = None
        self._unused = 0  # batches in a row

    def __call__(self, frames: Tensor) -> list[Tensor]:
        """Return the features of frames, prepared ones if these are the frames."""
        if self._prepared is not None:
            batch, count, features = self._prepared
            first = batch[:count]
            if _alike(first, frames) and torch.equal(first, frames):
                self._prepared, self._unused = None, 0
                return features
        return encoded(self._anonymizer, frames)

    def prepare(self, batches: object, device: torch.device, count: int | None) -> None:
        """Encode the first samples of the utility batch among those that come next.

        Args:
            batches: By name, such as a :class:`~blackbox_anon.types.PairBatch`; anything else is
                left alone.
            device: Where the encoder is.
            count: Samples that a step asks about first; ``None`` is all of them.
        """
        utility = batches.get("utility") if isinstance(batches, Mapping) else None
        frames = utility.get("frames") if isinstance(utility, Mapping) else None
        if not isinstance(frames, Tensor) or {device.type, frames.device.type} != {"cpu"}:
            return
        if self._prepared is not None:
            if self._prepared[0] is frames:
                return
            self._prepared, self._unused = None, self._unused + 1
        if self._unused < _PATIENCE:
            count = len(frames) if count is None else count
            self._prepared = frames, count, encoded(self._anonymizer, frames[:count])


def _alike(a: Tensor, b: Tensor) -> bool:
    return (a.shape, a.dtype, a.device) == (b.shape, b.dtype, b.device)
