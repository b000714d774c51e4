"""The two light pieces of the reduced UNet."""

import torch
from torch import Tensor, nn


def channel_max_pool(features: Tensor, channels: int) -> Tensor:
    """Reduce channels by the maximum over groups of neighbouring channels.

    Args:
        features: ``(B, C, H, W)``.
        channels: Channels to keep; features that have no more pass through.

    Returns:
        ``(B, min(C, channels), H, W)``.

    Example:
        >>> channel_max_pool(torch.arange(4.0).view(1, 4, 1, 1), 2).flatten()
        tensor([1., 3.])

    Reference:
        Channel max pooling, Ma et al., IEEE TVT 2019, https://doi.org/10.1109/TVT.2019.2899972
    """
    count = features.shape[1]
    if count <= channels:
        return features
    reduced: Tensor
    if count % channels == 0:
        reduced = features.unflatten(1, (channels, count // channels)).amax(2)
        return reduced
    # Windows as PyTorch's adaptive pooling has them; that of a small network's few channels takes
    # longer than its convolutions.
    starts = [i * count // channels for i in range(channels)]
    lasts = [-(-(i + 1) * count // channels) - 1 for i in range(channels)]
    last = features.movedim(1, -1)  # the layout that the convolutions want
    pooled = last[..., starts]
    for step in range(1, max(b - a for a, b in zip(starts, lasts, strict=True)) + 1):
        shifted = [min(a + step, b) for a, b in zip(starts, lasts, strict=True)]
        pooled = torch.maximum(pooled, last[..., shifted])
    return pooled.movedim(-1, 1)


class DepthwiseSeparable(nn.Sequential):
    """Depthwise 3x3 and pointwise convolution: ``C_in * 10 + (C_in + 1) * C_out`` parameters.

    Without normalization, so no state changes in use.

    Reference:
        Xception, Chollet, CVPR 2017.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_in, 3, padding=1, groups=channels_in),
            nn.Conv2d(channels_in, channels_out, 1),
        )
