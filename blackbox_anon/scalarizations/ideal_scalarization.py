"""What all scalarizations share: checks, scales, and distances to the ideal point."""

import math
from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.scalarizations.abstract import AbstractScalarization, Scalarized
from blackbox_anon.scalarizations.functional import weighted_distances
from blackbox_anon.scalarizations.ideal_point import FirstValueScale, IdealPoint, IdealRule


class AbstractIdealScalarization(AbstractScalarization):
    """A scalarization that knows how far each objective is from its ideal value.

    Reading whether all inputs are finite is the one wait for the device per call.

    Args:
        weights: Weights ``lambda_i``, one per objective, two or more; none negative. They need not
            sum to 1.
        margin: The ideal value is undercut by this share of its magnitude.
        ideal: See :class:`IdealPoint`.
        ema_decay: See :class:`IdealPoint`; used by ``"ema_best"`` only.
        normalize: Divide each objective's value and gradient by the magnitude of its first value.
            Not in the paper.

    Raises:
        ValueError: If an argument is out of its range.
    """

    def __init__(
        self,
        weights: Sequence[float] = (0.5, 0.5),
        *,
        margin: float = 0.1,
        ideal: IdealRule = "best",
        ema_decay: float = 0.9,
        normalize: bool = False,
    ) -> None:
        super().__init__()
        if len(weights) < 2 or not all(0 <= weight < math.inf for weight in weights):
            msg = f"`weights` must be two or more finite numbers of 0 or more; found {weights!r}"
            raise ValueError(msg)
        if margin < 0:
            msg = f"`margin` must be 0 or more; found {margin}"
            raise ValueError(msg)
        self.weights = tuple(weights)
        self.margin = margin
        self.normalize = normalize
        self.ideal_point = IdealPoint(len(weights), ideal, ema_decay=ema_decay)
        self.first_values = FirstValueScale(len(weights))

    @override
    def reset(self) -> None:
        self.ideal_point.reset()
        self.first_values.reset()

    @override
    @torch.no_grad()
    def forward(self, values: Tensor, gradients: Tensor) -> Scalarized:
        self._check(values, gradients)
        scale = self.first_values(values).to(values.dtype)
        if self.normalize:
            values = values / scale
            gradients = gradients / scale.to(gradients.dtype).unsqueeze(1)
        weights = values.new_tensor(self.weights)
        ideal = self.ideal_point(values).to(values.dtype)
        distances = weighted_distances(values, ideal, weights, self.margin)
        return self._combine(values, gradients, weights, distances)

    @abstractmethod
    def _combine(
        self, values: Tensor, gradients: Tensor, weights: Tensor, distances: Tensor
    ) -> Scalarized:
        """Combine checked, scaled objectives; ``weights`` and ``distances`` are ``(N,)``."""

    def _check(self, values: Tensor, gradients: Tensor) -> None:
        """Refuse shapes that do not agree and numbers that are not finite."""
        expected = len(self.weights)
        if values.shape != (expected,):
            msg = f"`values` must be ({expected},), one per weight; found {tuple(values.shape)}"
            raise ValueError(msg)
        if gradients.ndim != 2 or len(gradients) != expected:
            msg = f"`gradients` must be ({expected}, P); found {tuple(gradients.shape)}"
            raise ValueError(msg)
        finite = values.isfinite() & gradients.isfinite().all(dim=1)
        if not finite.all():
            index = int(finite.to(torch.int64).argmin())
            msg = (
                f"`values` and `gradients` must be finite; found objective {index} "
                f"with value {values[index].item()} and a gradient that is "
                f"{'finite' if gradients[index].isfinite().all() else 'not finite'}"
            )
            raise ValueError(msg)
