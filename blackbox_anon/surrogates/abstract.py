"""The contract of a local model that stands in for the black box."""

from abc import ABC, abstractmethod

from torch import Tensor, nn


class AbstractSurrogate(nn.Module, ABC):
    """Says what the black box would: scores of the classes that it is asked about.

    It must answer a sample alike whoever else is in the batch: no batch norm, no dropout in use.

    Attributes:
        num_classes: Number ``K`` of classes.
    """

    num_classes: int

    @abstractmethod
    def forward(self, frames: Tensor) -> Tensor:
        """Score the classes.

        Args:
            frames: Images ``(B, 3, H, W)`` or clips ``(B, T, 3, H, W)``, in ``[0, 1]``.
                Differentiable in them.

        Returns:
            Logits, shape ``(B, K)``.
        """
