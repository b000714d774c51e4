"""Streaming macro precision at a threshold."""

from torch import Tensor
from typing_extensions import override

from blackbox_anon.metrics.attribute_metric import AbstractAttributeMetric
from blackbox_anon.metrics.functional.precision import (
    NeverPredicted,
    check_never_predicted,
    mean_precision,
    precision_per_attribute,
)


class ClassMeanPrecision(AbstractAttributeMetric):
    """The paper's printed formula: mean over attributes of ``TP / (TP + FP)``; lower is private.

    An attribute that never occurs gets 0 once it is predicted. What one that is never predicted
    counts is ``never_predicted``. The number is not comparable with average precision.

    Args:
        num_attributes: ``A``, the columns of scores and targets.
        threshold: A score strictly above it predicts the attribute; 0.5 is meant for probabilities.
        never_predicted: An attribute never predicted counts as 0, or is left out of the mean.

    Example:
        >>> import torch
        >>> metric = ClassMeanPrecision(2)
        >>> metric.update(torch.tensor([[0.9, 0.1], [0.8, 0.2]]), torch.tensor([[1, 0], [0, 1]]))
        >>> metric.compute()
        tensor(0.2500, dtype=torch.float64)
        >>> metric.per_attribute()
        tensor([0.5000,    nan], dtype=torch.float64)
    """

    def __init__(
        self,
        num_attributes: int,
        threshold: float = 0.5,
        *,
        never_predicted: NeverPredicted = "zero",
    ) -> None:
        super().__init__(num_attributes)
        check_never_predicted(never_predicted)
        self.threshold = threshold
        self.never_predicted: NeverPredicted = never_predicted

    @override
    def marks(self, scores: Tensor) -> Tensor:
        return scores > self.threshold  # in the precision of the scores, as the pure function does

    @override
    def values(self, marks: Tensor, targets: Tensor) -> Tensor:
        return precision_per_attribute(marks, targets, threshold=0.5)

    @override
    def mean_of(self, values: Tensor) -> Tensor:
        return mean_precision(values, self.never_predicted)
