"""The contract of a scalarization: objectives' values and gradients in, one gradient out."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Scalarized:
    """One gradient made of several objectives.

    Attributes:
        gradient: Shape ``(P,)``.
        value: The scalarized objective, a scalar.
        active: Index of the active objective, a scalar int64 tensor; for a weighted sum the one
            with the largest weighted value.
        distances: Each objective's weighted distance to its ideal point, shape ``(N,)``.
    """

    gradient: Tensor
    value: Tensor
    active: Tensor
    distances: Tensor


class AbstractScalarization(nn.Module, ABC):
    """Combines objectives. The ideal point lives in a fixed-shape buffer."""

    @abstractmethod
    def forward(self, values: Tensor, gradients: Tensor) -> Scalarized:
        """Combine the objectives and update the ideal point.

        Args:
            values: Losses ``L_i``, shape ``(N,)``; the paper's order is utility, privacy.
            gradients: One row per objective, shape ``(N, P)``.

        Returns:
            The combined gradient and which objective was active.

        Raises:
            ValueError: If the shapes do not agree with each other or with the number of weights.
        """

    @abstractmethod
    def reset(self) -> None:
        """Forget the ideal point."""
