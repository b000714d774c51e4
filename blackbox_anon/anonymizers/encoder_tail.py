"""Encoders that would compute more than is asked of them."""

import re
from typing import Any, TypeVar

from torch import nn

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
