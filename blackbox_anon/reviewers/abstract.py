"""The differentiable privacy reviewer's contract."""

import copy
from abc import ABC, abstractmethod
from typing import Literal, Self

from torch import Tensor, nn

PrivacyLoss = Literal["entropy_gap", "cross_entropy_to_half"]


class AbstractReviewer(nn.Module, ABC):
    """Predicts private attributes, and says how much it knows."""

    num_attributes: int
    privacy_loss_name: PrivacyLoss

    @property
    def name(self) -> str:
        """What a result calls it."""
        return type(self).__name__

    @abstractmethod
    def forward(self, frames: Tensor) -> Tensor:
        """Predict attributes.

        Args:
            frames: Images ``(B, 3, H, W)`` or clips ``(B, T, 3, H, W)``, in ``[0, 1]``; a clip's
                logits are the mean over its frames (VITA).

        Returns:
            Logits, shape ``(B, A)``.
        """

    @abstractmethod
    def loss(self, frames: Tensor, attributes: Tensor) -> Tensor:
        """Return the training loss (binary cross-entropy in nats) for ``attributes`` ``(B, A)``."""

    @abstractmethod
    def privacy_loss(self, frames: Tensor) -> Tensor:
        """Return L_privacy in nats: non-negative, smallest when the reviewer knows nothing."""

    @abstractmethod
    def restart(self, generation: int) -> None:
        """Begin anew where the scheme has restarts; ``generation`` counts them from 1."""

    def fresh(self, seed: int) -> Self:
        """Return a copy as it was before any training on attributes.

        Args:
            seed: Decides its random weights.
        """
        copied = copy.deepcopy(self)
        copied.restart(seed)
        return copied
