"""Streaming macro average precision."""

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from blackbox_anon.metrics.functional.average_precision import (
    average_precision_per_attribute,
    chance_average_precision,
)
from blackbox_anon.metrics.functional.checks import check_scores_and_targets


class ClassMeanAveragePrecision(Metric):
    """The field's cMAP: macro average precision from scores; lower is more private.

    An attribute that never occurs in the targets is left out of the mean: :meth:`per_attribute`
    and :meth:`chance` report it as NaN. One that always occurs counts with 1, its chance level, and
    so adds nothing above chance. If no attribute occurs, the value is NaN.

    All scores are kept (the metric is not a mean over batches) and gathered over processes. In a
    ``MetricCollection`` switch compute groups off: they can merge two metrics whose states happen
    to agree after the first batch.

    Args:
        num_attributes: ``A``, the columns of scores and targets.

    Example:
        >>> metric = ClassMeanAveragePrecision(2)
        >>> metric.update(torch.tensor([[0.9, 0.1], [0.8, 0.2]]), torch.tensor([[1, 0], [0, 0]]))
        >>> metric.update(torch.tensor([[0.3, 0.3]]), torch.tensor([[1, 0]]))
        >>> metric.compute()
        tensor(0.8333)
        >>> metric.per_attribute()
        tensor([0.8333,    nan])
        >>> metric.chance()
        tensor([0.6667,    nan])
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False

    scores: list[Tensor]
    targets: list[Tensor]

    def __init__(self, num_attributes: int) -> None:
        super().__init__()
        if num_attributes < 1:
            raise ValueError(f"num_attributes: expected at least 1, found {num_attributes}.")
        self.num_attributes = num_attributes
        self.add_state("scores", [], dist_reduce_fx="cat")
        self.add_state("targets", [], dist_reduce_fx="cat")

    def update(self, scores: Tensor, targets: Tensor) -> None:
        """Add a batch.

        Args:
            scores: The attacker's scores, any monotone scale, shape ``(B, A)``.
            targets: 1 where the attribute is present, else 0, shape ``(B, A)``.

        Raises:
            ValueError: If the shapes do not fit, a score is not finite, or a target not 0 or 1.
        """
        check_scores_and_targets(scores, targets)
        if scores.shape[1] != self.num_attributes:
            raise ValueError(
                f"scores: expected {self.num_attributes} attributes, found {scores.shape[1]}."
            )
        self.scores.append(scores.detach().float())
        self.targets.append(targets.detach().float())

    def compute(self) -> Tensor:
        """Return the mean over the attributes that occur, a scalar."""
        return self._average_precision().nanmean()

    def per_attribute(self) -> Tensor:
        """Return average precision per attribute, shape ``(A,)``; every process must call it."""
        with self.sync_context(should_sync=self.sync_on_compute):
            return self._average_precision()

    def chance(self) -> Tensor:
        """Return the prevalence per attribute, shape ``(A,)``; every process must call it."""
        with self.sync_context(should_sync=self.sync_on_compute):
            return chance_average_precision(dim_zero_cat(self.targets)).to(torch.float32)

    def _average_precision(self) -> Tensor:
        scores, targets = dim_zero_cat(self.scores), dim_zero_cat(self.targets)
        return average_precision_per_attribute(scores, targets).to(torch.float32)
