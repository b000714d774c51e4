"""A small network that tells actions by how shapes move."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from typing_extensions import override

from blackbox_anon.arguments import require
from blackbox_anon.surrogates.abstract import AbstractSurrogate
from blackbox_anon.weights import load_weights

_GROUPS = 4


class ClipSurrogate(AbstractSurrogate):
    """Classifies clips: three convolutions of each frame, two over frames, mean and maximum.

    With the default width and ten classes 214,362 parameters. From nothing it learns the embedded
    world's ten actions from a few thousand raw clips; a question about details that are small in
    the picture wants a model of its own, a subclass of :class:`AbstractSurrogate`.

    Args:
        num_classes: Number ``K`` of classes.
        width: Channels of the first convolution, a multiple of 4.
        frame_stride: It looks at every so manieth frame of a clip, from the first on: with 2 it
            takes half of the time.
        weights: Weights to start from: a ``.safetensors`` or ``.ckpt`` file, ``"peopleworld"``, or
            ``None`` for random ones.

    Raises:
        ValueError: If a number is out of its range.
        WeightsNotFoundError: If ``weights`` are not there or do not fit.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        width: int = 16,
        frame_stride: int = 1,
        weights: str | None = None,
    ) -> None:
        super().__init__()
        fits = width > 0 and width % _GROUPS == 0
        require(
            num_classes=(num_classes, num_classes >= 2, "2 or more"),
            width=(width, fits, f"a positive multiple of {_GROUPS}"),
            frame_stride=(frame_stride, frame_stride >= 1, "1 or more"),
        )
        self.num_classes, self.frame_stride = num_classes, frame_stride
        ahead = (3, width, 2 * width, 3 * width)
        self.frame = nn.Sequential(
            *(_block(nn.Conv2d(*sizes, 3, 2, 1)) for sizes in pairwise(ahead))
        )
        self.motion = nn.Sequential(
            _block(nn.Conv3d(3 * width, 4 * width, 3, (1, 2, 2), 1)),
            _block(nn.Conv3d(4 * width, 4 * width, 3, 1, 1)),
        )
        self.head = nn.Linear(8 * width, num_classes)
        if weights is not None:
            load_weights(self, weights, kind="surrogate")

    @override
    def forward(self, frames: Tensor) -> Tensor:
        clips = frames[:, :: self.frame_stride] if frames.ndim == 5 else frames.unsqueeze(1)
        shapes = self.frame(2 * clips.flatten(0, 1) - 1)
        moving = self.motion(shapes.unflatten(0, clips.shape[:2]).transpose(1, 2)).flatten(2)
        logits: Tensor = self.head(torch.cat([moving.mean(2), moving.amax(2)], dim=1))
        return logits


def _block(convolution: nn.Conv2d | nn.Conv3d) -> nn.Sequential:
    return nn.Sequential(convolution, nn.GroupNorm(_GROUPS, convolution.out_channels), nn.ReLU())
