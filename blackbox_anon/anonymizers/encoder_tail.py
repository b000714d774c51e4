"""Encoders that would compute more than is asked of them, and copy more."""

import re
from collections.abc import Iterator
from typing import Any, TypeVar

from timm.layers import Conv2dSame
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

EncoderT = TypeVar("EncoderT", bound=nn.Module)

_BLOCK = re.compile(r"blocks\.(\d+)")


def drop_unused_blocks(encoder: EncoderT) -> EncoderT:
    """Remove the blocks after the deepest level that an encoder returns.

    timm's EfficientNets and MobileNets run all of their blocks whatever the depth that was asked
    for. Weights that were saved with the removed blocks still fit.

    Args:
        encoder: A segmentation-models-pytorch encoder; others than these are left as they are.

    Returns:
        The same encoder.
    """
    model = getattr(encoder, "model", None)
    info, blocks = getattr(model, "feature_info", None), getattr(model, "blocks", None)
    if info is None or not isinstance(blocks, nn.Sequential):
        return encoder
    deepest = _BLOCK.fullmatch(info.module_name()[-1])
    if deepest is not None:
        del blocks[int(deepest[1]) + 1 :]
        blocks.register_load_state_dict_pre_hook(_forget_removed)
    return encoder


class _PaddedKernel(Conv2dSame):
    """The same convolution with a row and a column of zeros in its kernel, not around its input.

    For an odd kernel, stride 2 and an even size, "same" padding puts one row more below than above.
    PyTorch pads evenly only, so the input is copied; with a kernel that is one larger it need not.
    """

    @override
    def forward(self, x: Tensor) -> Tensor:
        rows, columns = self.kernel_size
        if x.shape[-2] % 2 or x.shape[-1] % 2:
            found: Tensor = super().forward(x)
            return found
        weight = functional.pad(self.weight, (1, 0, 1, 0))
        half = (rows // 2, columns // 2)
        return functional.conv2d(x, weight, self.bias, self.stride, half, 1, self.groups)


def pad_kernels(encoder: EncoderT) -> EncoderT:
    """Let the "same" convolutions of TensorFlow's networks do without a copy of their input.

    Args:
        encoder: Its convolutions compute what they did, and their weights are what they were.

    Returns:
        The same encoder.
    """
    modules: Iterator[Any] = encoder.modules()
    for module in modules:
        if type(module) is not Conv2dSame or module.dilation != (1, 1):
            continue
        if module.stride == (2, 2) and all(size % 2 and size > 1 for size in module.kernel_size):
            module.__class__ = _PaddedKernel
    return encoder


def _forget_removed(
    blocks: nn.Module, state_dict: dict[str, Any], prefix: str, *others: object
) -> None:
    """Leave out of what is loaded the blocks that ``blocks`` has no more."""
    del others  # what PyTorch hands to such a hook beside these
    kept = {name for name, _ in blocks.named_children()}
    for key in [key for key in state_dict if key.startswith(prefix)]:
        number = key.removeprefix(prefix).split(".", 1)[0]
        if number.isdecimal() and number not in kept:
            del state_dict[key]
