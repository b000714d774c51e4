"""Streaming macro precision at a threshold."""

import torch
from torch import Tensor
from torchmetrics import Metric

from blackbox_anon.metrics.functional.precision import (
    NeverPredicted,
    check_never_predicted,
    count_predictions,
    mean_precision,
)


class ClassMeanPrecision(Metric):
    """The paper's printed formula: mean over attributes of ``TP / (TP + FP)``; lower is private.

    An attribute that never occurs gets 0 once it is predicted. What one that is never predicted
    counts is ``never_predicted``. The number is not comparable with average precision.

    Only two counts per attribute are kept; they are summed over processes.

    Args:
        num_attributes: ``A``, the columns of scores and targets.
        threshold: A score strictly above it predicts the attribute.
        never_predicted: An attribute never predicted counts as 0, or is left out of the mean.

    Example:
        >>> metric = ClassMeanPrecision(2)
        >>> metric.update(torch.tensor([[0.9, 0.1], [0.8, 0.2]]), torch.tensor([[1, 0], [0, 1]]))
        >>> metric.compute()
        tensor(0.2500)
        >>> metric.per_attribute()
        tensor([0.5000,    nan])
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False

    true_positives: Tensor
    predicted: Tensor

    def __init__(
        self,
        num_attributes: int,
        threshold: float = 0.5,
        *,
        never_predicted: NeverPredicted = "zero",
    ) -> None:
        super().__init__()
        if num_attributes < 1:
            raise ValueError(f"num_attributes: expected at least 1, found {num_attributes}.")
        check_never_predicted(never_predicted)
        self.num_attributes = num_attributes
        self.threshold = threshold
        self.never_predicted: NeverPredicted = never_predicted
        for name in ("true_positives", "predicted"):
            self.add_state(name, torch.zeros(num_attributes, dtype=torch.int64), "sum")

    def update(self, scores: Tensor, targets: Tensor) -> None:
        """Add a batch.

        Args:
            scores: The attacker's scores, shape ``(B, A)``.
            targets: 1 where the attribute is present, else 0, shape ``(B, A)``.

        Raises:
            ValueError: If the shapes do not fit, a score is not finite, or a target not 0 or 1.
        """
        hits, predicted = count_predictions(scores, targets, threshold=self.threshold)
        if len(hits) != self.num_attributes:
            raise ValueError(
                f"scores: expected {self.num_attributes} attributes, found {len(hits)}."
            )
        self.true_positives += hits
        self.predicted += predicted

    def compute(self) -> Tensor:
        """Return the mean over attributes, a scalar."""
        return mean_precision(self._precision(), self.never_predicted)

    def per_attribute(self) -> Tensor:
        """Return precision per attribute, shape ``(A,)``; every process must call it."""
        with self.sync_context(should_sync=self.sync_on_compute):
            return self._precision()

    def _precision(self) -> Tensor:
        return self.true_positives.float() / self.predicted
