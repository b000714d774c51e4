"""The trained part of the anonymizer: a narrow UNet decoder."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from blackbox_anon.anonymizers.blocks import DepthwiseSeparable

_OUTPUT_STRIDE = 2


class LightDecoder(nn.Module):
    """Merges reduced encoder features from coarse to fine by depthwise-separable convolutions.

    The last features have half the image's resolution; a pixel shuffle brings them to full size, so
    no convolution runs on full-size maps.

    Args:
        channels: Channels of the reduced features, finest (stride 2) first.
        width: Channels inside the decoder.
    """

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        *skips, deepest = channels
        incoming = [deepest] + [width] * (len(skips) - 1)
        self.merges = nn.ModuleList(
            DepthwiseSeparable(coarse + skip, width)
            for coarse, skip in zip(incoming, reversed(skips), strict=True)
        )
        self.refines = nn.ModuleList(DepthwiseSeparable(width, width) for _ in skips)
        self.head = DepthwiseSeparable(width if skips else deepest, 3 * _OUTPUT_STRIDE**2)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Return images ``(B, 3, H, W)`` in ``(0, 1)`` from features, finest first."""
        *skips, merged = features
        for skip, merge, refine in zip(reversed(skips), self.merges, self.refines, strict=True):
            raised = functional.interpolate(merged, skip.shape[-2:], mode="nearest")
            merged = functional.relu(merge(torch.cat([raised, skip], 1)), inplace=True)
            merged = functional.relu(refine(merged), inplace=True)
        return pixel_shuffle(self.head(merged).sigmoid(), _OUTPUT_STRIDE)


def pixel_shuffle(features: Tensor, factor: int) -> Tensor:
    """Rearrange as :func:`torch.nn.functional.pixel_shuffle` does, in one pass over memory.

    With channels last, as convolutions leave them on a CPU, that takes twice as long.

    Args:
        features: ``(B, C * factor ** 2, H, W)``.
        factor: Pixels per row and column that a position becomes.

    Returns:
        ``(B, C, factor * H, factor * W)``, contiguous.
    """
    parts = features.movedim(1, -1).unflatten(-1, (-1, factor, factor))  # B, H, W, C, row, column
    batch, height, width, channels, *_ = parts.shape
    rows: Tensor = parts.permute(0, 3, 1, 4, 2, 5)
    return rows.reshape(batch, channels, factor * height, factor * width)
