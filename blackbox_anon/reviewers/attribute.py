"""A timm backbone with multi-label logits."""

import copy
from typing import Self

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from blackbox_anon.reviewers.abstract import AbstractReviewer, PrivacyLoss
from blackbox_anon.reviewers.functional import cross_entropy_to_half, entropy_gap
from blackbox_anon.weights import load_weights

_LOSSES = {"entropy_gap": entropy_gap, "cross_entropy_to_half": cross_entropy_to_half}


class AttributeReviewer(AbstractReviewer):
    """Classifies private attributes with any timm backbone.

    Args:
        backbone: timm model name: ``resnet50`` (the paper), ``vit_small_patch16_224``
            (VP-HMDB51, VP-UCF101), a small one for the embedded world.
        num_attributes: Number of attributes ``A``.
        pretrained: Load timm's pretrained weights (downloads them).
        image_size: Input height and width for backbones with a fixed grid (ViT); ``None`` keeps
            the backbone's own.
        privacy_loss: ``entropy_gap`` (``log 2 - H``) or ``cross_entropy_to_half``.
        weights: Weights to start from: a ``.safetensors`` or ``.ckpt`` file, or ``"peopleworld"``.
        label_smoothing: Share of a label that is replaced by one half while the reviewer learns, in
            ``[0, 1)``. A reviewer that is sure of itself has almost no gradient in ``entropy_gap``;
            one that may not become sure keeps it. The paper has none.

    Reference:
        Label smoothing: Szegedy et al., CVPR 2016.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: str = "resnet50",
        num_attributes: int = 7,
        *,
        pretrained: bool = False,
        image_size: int | None = None,
        privacy_loss: PrivacyLoss = "entropy_gap",
        weights: str | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        if num_attributes < 1:
            msg = f"`num_attributes` must be positive; found {num_attributes}"
            raise ValueError(msg)
        if privacy_loss not in _LOSSES:
            msg = f"`privacy_loss` must be one of {sorted(_LOSSES)}; found {privacy_loss!r}"
            raise ValueError(msg)
        if not 0 <= label_smoothing < 1:
            msg = f"`label_smoothing` must be in [0, 1); found {label_smoothing}"
            raise ValueError(msg)
        self.num_attributes, self.privacy_loss_name = num_attributes, privacy_loss
        self.label_smoothing = label_smoothing
        self._arguments = {"num_classes": num_attributes} | (
            {"img_size": image_size} if image_size else {}
        )
        self._backbone_name, self._pretrained = backbone, pretrained
        self.backbone: nn.Module = timm.create_model(
            backbone, pretrained=pretrained, **self._arguments
        )
        data = timm.data.resolve_model_data_config(self.backbone)
        self.register_buffer("mean", torch.tensor(data["mean"]).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(data["std"]).view(3, 1, 1), persistent=False)
        if weights is not None:
            load_weights(self, weights, kind="reviewer")

    @property
    @override
    def name(self) -> str:
        return self._backbone_name + (" (pretrained)" if self._pretrained else "")

    @override
    def forward(self, frames: Tensor) -> Tensor:
        clips = frames if frames.ndim == 5 else frames.unsqueeze(1)
        images = (clips.flatten(0, 1) - self.mean) / self.std
        images = images.contiguous(memory_format=torch.channels_last)  # a third less time on a CPU
        logits: Tensor = self.backbone(images)
        return logits.view(*clips.shape[:2], -1).mean(1)

    @override
    def loss(self, frames: Tensor, attributes: Tensor) -> Tensor:
        targets = torch.lerp(attributes, torch.full_like(attributes, 0.5), self.label_smoothing)
        return functional.binary_cross_entropy_with_logits(self(frames), targets)

    @override
    def privacy_loss(self, frames: Tensor) -> Tensor:
        return _LOSSES[self.privacy_loss_name](self(frames))

    @override
    def restart(self, generation: int) -> None:
        self._start_anew(generation, pretrained=False)

    @override
    def fresh(self, seed: int) -> Self:
        copied = copy.deepcopy(self)
        copied._start_anew(seed, pretrained=self._pretrained)
        return copied

    def _start_anew(self, seed: int, *, pretrained: bool) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            fresh: nn.Module = timm.create_model(
                self._backbone_name, pretrained=pretrained, **self._arguments
            )
        self.backbone.load_state_dict(fresh.state_dict())
