"""Attributes told from a map of features: evidence anywhere counts."""

import math

from torch import Tensor, nn
from typing_extensions import override


class AttributeEvidence(nn.Module):
    """A linear map of each place, and the soft maximum over places.

    Args:
        channels: Channels ``C`` of the features.
        num_attributes: Number of attributes ``A``.

    Reference:
        Log-sum-exp pooling: Pinheiro and Collobert, CVPR 2015.
    """

    def __init__(self, channels: int, num_attributes: int) -> None:
        super().__init__()
        self.evidence = nn.Conv2d(channels, num_attributes, 1)

    @override
    def forward(self, features: Tensor) -> Tensor:
        """Return logits ``(B, A)`` of features ``(B, C, H, W)``."""
        places = self.evidence(features).flatten(2)
        pooled: Tensor = places.logsumexp(2) - math.log(places.shape[2])
        return pooled
