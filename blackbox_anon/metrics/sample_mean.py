"""The mean of one number per sample."""

from torch import Tensor
from typing_extensions import override

from blackbox_anon.metrics.sample_metric import AbstractSampleMetric


class SampleMean(AbstractSampleMetric):
    """Averages a number per sample, such as a loss, over the distinct samples of all processes.

    Example:
        >>> import torch
        >>> metric = SampleMean()
        >>> metric.update(torch.tensor([1.0, 4.0, 1.0]), ids=torch.tensor([7, 8, 7]))
        >>> metric.compute()
        tensor(2.5000, dtype=torch.float64)
    """

    def __init__(self) -> None:
        super().__init__(1)

    @override
    def update(self, values: Tensor, ids: Tensor | None = None) -> None:
        """Add a batch.

        Args:
            values: Shape ``(B,)``.
            ids: Shape ``(B,)``; a sample whose id was seen before does not count again.
        """
        self._keep(values.unsqueeze(1), ids)

    @override
    def evaluate(self, rows: Tensor) -> Tensor:
        return rows.mean()
