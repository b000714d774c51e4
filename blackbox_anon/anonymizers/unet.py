"""The paper's anonymizer: a UNet of which about 9,000 parameters are trained."""

from collections.abc import Callable, Sequence
from typing import Self

import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from blackbox_anon.anonymizers.abstract import AbstractAnonymizer, as_images
from blackbox_anon.anonymizers.blocks import channel_max_pool
from blackbox_anon.anonymizers.encoder_tail import drop_unused_blocks, pad_kernels
from blackbox_anon.anonymizers.light_decoder import LightDecoder
from blackbox_anon.weights import load_weights


class UNetAnonymizer(AbstractAnonymizer):
    """UNet with a frozen encoder, channel max pooling and a light depthwise-separable decoder.

    With the default arguments (the paper's configuration) 9,120 parameters are trained after the
    reconstruction stage; the encoder's 21 million are not. Its normalization layers stay in
    evaluation mode, so no state changes while it is trained against a black box.

    Args:
        encoder: Name of a segmentation-models-pytorch encoder.
        encoder_weights: Pretrained weights by name (``"imagenet"`` downloads them), or ``None``.
        depth: Encoder stages to use, 2 to 5; the coarsest features have stride ``2 ** depth``.
        width: Channels that features are reduced to and that the decoder works with.
        weights: Weights to begin with: a ``.safetensors`` file, a ``.ckpt`` of any task, a folder
            that ``blackbox-anon export`` wrote, or the name of shipped ones (``"peopleworld"``).

    Reference:
        Sec. 4.2 and Appendix E; the light layers' arrangement is ours, the paper gives none.
    """

    def __init__(
        self,
        encoder: str = "resnet34",
        encoder_weights: str | None = None,
        *,
        depth: int = 5,
        width: int = 22,
        weights: str | None = None,
    ) -> None:
        super().__init__()
        if not 2 <= depth <= 5:
            msg = f"`depth` must be between 2 and 5; found {depth}"
            raise ValueError(msg)
        self.width, self.stride = width, 2**depth
        self.architecture: dict[str, object] = {"encoder": encoder, "depth": depth, "width": width}
        """The arguments that decide which weights fit."""
        found = smp.encoders.get_encoder(encoder, depth=depth, weights=encoder_weights)
        self.encoder = pad_kernels(drop_unused_blocks(found))
        self.feature_channels = [min(width, c) for c in self.encoder.out_channels[1:]]
        """Channels of the reduced features, finest first."""
        self.decoder = LightDecoder(self.feature_channels, width)
        self.encoder_frozen = True
        self.freeze_encoder()
        if weights is not None:
            load_weights(self, weights, kind="anonymizer", architecture=self.architecture)

    def freeze_encoder(self, *, frozen: bool = True) -> Self:
        """Choose what is trained: the light decoder alone, or everything (reconstruction)."""
        self.encoder_frozen = frozen
        self.encoder.requires_grad_(not frozen)
        return self.train(self.training)

    @override
    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.encoder.train(mode and not self.encoder_frozen)
        return self

    @property
    def trained(self) -> nn.Module:
        """The part that black-box training changes."""
        return self.decoder

    def features(self, frames: Tensor) -> list[Tensor]:
        """Compute the reduced encoder features, finest first; trained weights do not enter.

        Args:
            frames: As for :meth:`forward`; padded at the right and bottom to a multiple of the
                coarsest stride.
        """
        images = as_images(frames)
        height, width = images.shape[-2:]
        pad = (-width % self.stride, -height % self.stride)
        if any(pad):
            images = functional.pad(images, (0, pad[0], 0, pad[1]), mode="replicate")
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.encoder_frozen):
            levels = self.encoder(_centred(images))
        return [channel_max_pool(level, self.width) for level in levels[1:]]

    def decode(
        self,
        features: Sequence[Tensor],
        frames: Tensor,
        decoder: Callable[..., Tensor] | None = None,
    ) -> Tensor:
        """Turn features back to frames.

        Args:
            features: What :meth:`features` made of ``frames``.
            frames: Give the output its shape.
            decoder: Stand-in for the light decoder, such as itself with other parameters.
        """
        images = (decoder or self.decoder)(features)
        return images[..., : frames.shape[-2], : frames.shape[-1]].reshape(frames.shape)

    @override
    def forward(self, frames: Tensor) -> Tensor:
        return self.decode(self.features(frames), frames)


def _centred(images: Tensor) -> Tensor:
    """Map ``[0, 1]`` to ``[-1, 1]``, in the layout that a CPU is a quarter faster with."""
    if images.requires_grad:
        return (images * 2 - 1).contiguous(memory_format=torch.channels_last)
    copied = torch.empty_like(images, memory_format=torch.channels_last).copy_(images)
    return copied.mul_(2).sub_(1)  # in place: three passes over memory instead of six
