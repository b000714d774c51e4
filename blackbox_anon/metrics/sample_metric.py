"""What every metric here shares: one row per sample, whichever process saw it, and how often."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat
from typing_extensions import override

from blackbox_anon.metrics.functional.intervals import bootstrap_interval
from blackbox_anon.metrics.functional.samples import UNNAMED, first_of_each


class AbstractSampleMetric(Metric, ABC):
    """Keeps one row of numbers per sample and computes from all of them.

    Rows are gathered over processes, which may have seen different numbers of samples, or none. A
    sample that comes with an id (see :func:`~blackbox_anon.metrics.functional.sample_ids`) counts
    once, however often it was seen: a distributed sampler repeats samples to give every process
    equally many, and a stand-in for an unreadable file repeats its neighbour. Samples without an id
    all count. In a ``MetricCollection`` switch compute groups off: they merge metrics whose states
    agree after the first batch, as the rows of two metrics here may.

    Args:
        width: Numbers in a row.
    """

    is_differentiable = False
    full_state_update = False

    rows: list[Tensor]
    ids: list[Tensor]

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.add_state("rows", [], dist_reduce_fx="cat")
        self.add_state("ids", [], dist_reduce_fx="cat")

    @abstractmethod
    def evaluate(self, rows: Tensor) -> Tensor:
        """Return the value, a scalar, of rows ``(N, width)``, float64."""

    @override
    def compute(self) -> Tensor:
        """Return the value, a scalar, float64; NaN without a sample."""
        return self.evaluate(self.distinct())

    def interval(
        self, *, seed: int = 0, resamples: int = 1000, level: float = 0.95
    ) -> tuple[float, float]:
        """Bootstrap over samples; every process must call it.

        Args:
            seed: Seed of the resampling.
            resamples: How often to draw.
            level: Coverage.

        Returns:
            Lower and upper bound of the value.
        """
        return bootstrap_interval(
            self.evaluate, [self.gathered()], seed=seed, resamples=resamples, level=level
        )

    def gathered(self) -> Tensor:
        """Return the distinct rows of all processes; every process must call it."""
        with self.sync_context(should_sync=self.sync_on_compute):
            return self.distinct()

    def distinct(self) -> Tensor:
        """Return the distinct rows in the state as it is, shape ``(N, width)``."""
        self._start()
        kept = first_of_each(dim_zero_cat(self.ids))
        return dim_zero_cat(self.rows)[kept]

    @override
    def sync(self, *args: Any, **kwargs: Any) -> None:
        self._start()  # a process without samples must offer rows of the same shape and type
        super().sync(*args, **kwargs)

    def _keep(self, rows: Tensor, ids: Tensor | None) -> None:
        if ids is None:
            ids = torch.full((len(rows),), UNNAMED, dtype=torch.int64)
        if ids.shape != (len(rows),) or ids.is_floating_point():
            raise ValueError(
                f"ids: expected {len(rows)} integers, found {tuple(ids.shape)} of {ids.dtype}."
            )
        self.rows.append(rows.detach().to(torch.float64))
        self.ids.append(ids.to(rows.device, torch.int64))

    def _start(self) -> None:
        if isinstance(self.rows, list) and not self.rows:
            self.rows.append(torch.zeros(0, self.width, dtype=torch.float64, device=self.device))
            self.ids.append(torch.zeros(0, dtype=torch.int64, device=self.device))
