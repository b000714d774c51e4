"""Streaming macro average precision."""

from torch import Tensor
from typing_extensions import override

from blackbox_anon.metrics.attribute_metric import AbstractAttributeMetric
from blackbox_anon.metrics.functional.average_precision import average_precision_per_attribute


class ClassMeanAveragePrecision(AbstractAttributeMetric):
    """The field's cMAP: macro average precision from scores; lower is more private.

    An attribute that never occurs in the targets is left out of the mean: :meth:`per_attribute`
    and :meth:`chance` report it as NaN. One that always occurs counts with 1, its chance level, and
    so adds nothing above chance. If no attribute occurs, the value is NaN.

    Args:
        num_attributes: ``A``, the columns of scores and targets.

    Example:
        >>> import torch
        >>> metric = ClassMeanAveragePrecision(2)
        >>> metric.update(torch.tensor([[0.9, 0.1], [0.8, 0.2]]), torch.tensor([[1, 0], [0, 0]]))
        >>> metric.update(torch.tensor([[0.3, 0.3]]), torch.tensor([[1, 0]]))
        >>> metric.compute()
        tensor(0.8333, dtype=torch.float64)
        >>> metric.per_attribute()
        tensor([0.8333,    nan], dtype=torch.float64)
        >>> metric.chance()
        tensor([0.6667,    nan], dtype=torch.float64)
    """

    @override
    def values(self, marks: Tensor, targets: Tensor) -> Tensor:
        return average_precision_per_attribute(marks, targets)

    @override
    def mean_of(self, values: Tensor) -> Tensor:
        return values.nanmean()
