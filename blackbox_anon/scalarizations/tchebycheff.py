"""The objective farthest from its ideal, alone or with a small weighted sum."""

from collections.abc import Sequence

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.scalarizations.abstract import Scalarized
from blackbox_anon.scalarizations.functional import (
    augmented_tchebycheff_gradient,
    tchebycheff_gradient,
    weighted_sum,
)
from blackbox_anon.scalarizations.ideal_point import IdealRule
from blackbox_anon.scalarizations.ideal_scalarization import AbstractIdealScalarization


class Tchebycheff(AbstractIdealScalarization):
    """Minimizes the largest weighted distance to the ideal point.

    Of equally distant objectives the first is active. Arguments are those of
    :class:`AbstractIdealScalarization`.

    Example:
        >>> combined = Tchebycheff()(torch.tensor([2.0, 1.0]), torch.eye(2))
        >>> combined.active, combined.gradient
        (tensor(0), tensor([0.5000, 0.0000]))

    Reference:
        Eq. 5 of "When Visual Privacy Protection Meets Multimodal Large Language Models", IJCV 2026.
    """

    @override
    def _combine(
        self, values: Tensor, gradients: Tensor, weights: Tensor, distances: Tensor
    ) -> Scalarized:
        del values  # only their distances count
        active = distances.argmax()
        return Scalarized(
            gradient=tchebycheff_gradient(weights.to(gradients.dtype), gradients, active),
            value=distances.amax(),
            active=active,
            distances=distances,
        )


class AugmentedTchebycheff(AbstractIdealScalarization):
    """Minimizes the largest weighted distance plus a small weighted sum: the paper's objective.

    The sum makes every minimizer Pareto optimal. Of equally distant objectives the first is active.

    Args:
        weights: As for :class:`AbstractIdealScalarization`.
        augmentation: Factor ``sigma`` of the weighted sum, 0 or more.
        margin: As for :class:`AbstractIdealScalarization`.
        ideal: As for :class:`AbstractIdealScalarization`.
        ema_decay: As for :class:`AbstractIdealScalarization`.
        normalize: As for :class:`AbstractIdealScalarization`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> scalarize = AugmentedTchebycheff(augmentation=0.1)
        >>> combined = scalarize(torch.tensor([2.0, 1.0]), torch.eye(2))
        >>> combined.active, combined.gradient
        (tensor(0), tensor([0.5500, 0.0500]))

    Reference:
        Eqs. 6 and 11, and Theorem 1, of "When Visual Privacy Protection Meets Multimodal Large
        Language Models", IJCV 2026.
    """

    def __init__(
        self,
        weights: Sequence[float] = (0.5, 0.5),
        augmentation: float = 1e-4,
        *,
        margin: float = 0.1,
        ideal: IdealRule = "best",
        ema_decay: float = 0.9,
        normalize: bool = False,
    ) -> None:
        super().__init__(
            weights, margin=margin, ideal=ideal, ema_decay=ema_decay, normalize=normalize
        )
        if augmentation < 0:
            msg = f"`augmentation` must be 0 or more; found {augmentation}"
            raise ValueError(msg)
        self.augmentation = augmentation

    @override
    def _combine(
        self, values: Tensor, gradients: Tensor, weights: Tensor, distances: Tensor
    ) -> Scalarized:
        active = distances.argmax()
        return Scalarized(
            gradient=augmented_tchebycheff_gradient(
                weights.to(gradients.dtype), gradients, active, self.augmentation
            ),
            value=torch.add(
                distances.amax(), weighted_sum(weights, values), alpha=self.augmentation
            ),
            active=active,
            distances=distances,
        )
