"""What the two metrics of private attributes share."""

from abc import abstractmethod

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.metrics.functional.average_precision import chance_average_precision
from blackbox_anon.metrics.functional.checks import check_scores_and_targets
from blackbox_anon.metrics.sample_metric import AbstractSampleMetric


class AbstractAttributeMetric(AbstractSampleMetric):
    """A number per attribute and its mean, from scores and targets.

    Args:
        num_attributes: ``A``, the columns of scores and targets.

    Raises:
        ValueError: If ``num_attributes`` is not positive.
    """

    higher_is_better = False

    def __init__(self, num_attributes: int) -> None:
        if num_attributes < 1:
            raise ValueError(f"num_attributes: expected at least 1, found {num_attributes}.")
        super().__init__(2 * num_attributes)
        self.num_attributes = num_attributes

    def marks(self, scores: Tensor) -> Tensor:
        """Return what :meth:`values` needs of scores, the same shape; the scores themselves."""
        return scores

    @abstractmethod
    def values(self, marks: Tensor, targets: Tensor) -> Tensor:
        """Return one value per attribute, ``(A,)``, float64; NaN where there is none."""

    @abstractmethod
    def mean_of(self, values: Tensor) -> Tensor:
        """Return the mean of :meth:`values`, a scalar."""

    @override
    def update(self, scores: Tensor, targets: Tensor, ids: Tensor | None = None) -> None:
        """Add a batch.

        Args:
            scores: The attacker's scores, shape ``(B, A)``.
            targets: 1 where the attribute is present, else 0, shape ``(B, A)``.
            ids: Shape ``(B,)``; a sample whose id was seen before does not count again.

        Raises:
            ValueError: If the shapes do not fit, a score is not finite, or a target not 0 or 1.
        """
        check_scores_and_targets(scores, targets)
        if scores.shape[1] != self.num_attributes:
            raise ValueError(
                f"scores: expected {self.num_attributes} attributes, found {scores.shape[1]}."
            )
        self._keep(torch.cat([self.marks(scores).double(), targets.double()], dim=1), ids)

    @override
    def evaluate(self, rows: Tensor) -> Tensor:
        return self.mean_of(self.values(*rows.tensor_split(2, dim=1)))

    def per_attribute(self) -> Tensor:
        """Return the value of each attribute, shape ``(A,)``; every process must call it."""
        return self.values(*self.gathered().tensor_split(2, dim=1))

    def chance(self) -> Tensor:
        """Return each attribute's prevalence, shape ``(A,)``; every process must call it.

        It is the average precision of an attacker that learned nothing, and the precision of one
        that predicts the attribute always or at random. NaN for an attribute that never occurs.
        """
        return chance_average_precision(self.gathered()[:, self.num_attributes :])

    def positives(self) -> Tensor:
        """Return how often each attribute occurs, ``(A,)``, int64; every process must call it."""
        return self.gathered()[:, self.num_attributes :].sum(0).long()
