"""The baseline: objectives added up."""

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.scalarizations.abstract import Scalarized
from blackbox_anon.scalarizations.functional import weighted_sum
from blackbox_anon.scalarizations.ideal_scalarization import AbstractIdealScalarization


class WeightedSum(AbstractIdealScalarization):
    """Minimizes the weighted sum of the objectives.

    The ideal point does not enter the gradient; it is tracked so that the distances of all
    scalarizations compare. Arguments are those of :class:`AbstractIdealScalarization`.

    Example:
        >>> combined = WeightedSum()(torch.tensor([2.0, 1.0]), torch.eye(2))
        >>> combined.value, combined.gradient
        (tensor(1.5000), tensor([0.5000, 0.5000]))

    Reference:
        Eq. 4 of "When Visual Privacy Protection Meets Multimodal Large Language Models", IJCV 2026.
    """

    @override
    def _combine(
        self, values: Tensor, gradients: Tensor, weights: Tensor, distances: Tensor
    ) -> Scalarized:
        return Scalarized(
            gradient=weighted_sum(weights.to(gradients.dtype), gradients),
            value=weighted_sum(weights, values),
            active=torch.argmax(weights * values),
            distances=distances,
        )
