"""The part of a batch that a black box answered, and the way back to the whole batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from blackbox_anon.mllms import Answer, Response, answered
from blackbox_anon.types import UtilityBatch


@dataclass(frozen=True, kw_only=True)
class Answered:
    """Responses with the samples they belong to; failures are in neither.

    Attributes:
        positions: Where the answered samples stand in the whole batch.
        responses: What the black box said about them.
        batch: Their entries of the batch.
        size: Samples in the whole batch.
    """

    positions: list[int]
    responses: list[Response]
    batch: UtilityBatch
    size: int

    def spread(self, values: Tensor) -> Tensor:
        """Bring one value per answered sample to the whole batch, shape ``(B,)``, NaN elsewhere."""
        if len(self.positions) == self.size:
            return values
        floating = values if values.is_floating_point() else values.float()
        whole = floating.new_full((self.size,), torch.nan)
        whole[self.positions] = floating
        return whole


def answered_part(answers: Sequence[Answer], batch: UtilityBatch) -> Answered:
    """Pick out what was answered.

    Args:
        answers: One per sample of the batch.
        batch: What was asked about; taken as it is where nothing failed.

    Example:
        >>> from blackbox_anon.mllms import Failure
        >>> batch = {"frames": torch.zeros(2, 3, 4, 4), "name": ["a", "b"]}
        >>> said = [Failure(kind="timeout", message="30 s passed"), Response(text="run")]
        >>> part = answered_part(said, batch)
        >>> part.batch["name"], part.spread(torch.tensor([0.5]))
        (['b'], tensor([   nan, 0.5000]))
    """
    positions = answered(answers)
    complete = len(positions) == len(answers)
    return Answered(
        positions=positions,
        responses=[answer for answer in answers if isinstance(answer, Response)],
        batch=batch if complete else take(batch, positions),
        size=len(answers),
    )


def take(batch: UtilityBatch, positions: Sequence[int]) -> UtilityBatch:
    """Return a batch of some of the samples; every entry has one value per sample."""
    chosen = list(positions)
    found = {name: _rows(values, chosen) for name, values in batch.items()}
    return cast("UtilityBatch", found)  # the same keys, each with fewer samples


def _rows(values: object, positions: list[int]) -> object:
    if isinstance(values, Tensor):
        return values[torch.tensor(positions, dtype=torch.int64, device=values.device)]
    return [cast("list[object]", values)[position] for position in positions]
