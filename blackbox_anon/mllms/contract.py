"""Refuses an object that is more than a service: the method must not be able to look inside."""

from torch import nn

from blackbox_anon.mllms.abstract import AbstractMLLM

_WHITE_BOX = ("parameters", "named_parameters", "state_dict", "grad")


def check_black_box(mllm: object) -> None:
    """Check that an object can serve as the black box.

    Args:
        mllm: What a task was given as its multimodal LLM.

    Raises:
        TypeError: If it is an ``nn.Module`` (it would become a submodule and enter checkpoints),
            offers parameters, a state or gradients, or is no :class:`AbstractMLLM`.

    Example:
        >>> check_black_box(nn.Linear(2, 2))
        Traceback (most recent call last):
        TypeError: `mllm` must not be an nn.Module, or checkpoints would hold it; found Linear
    """
    found = type(mllm).__name__
    if isinstance(mllm, nn.Module):
        msg = f"`mllm` must not be an nn.Module, or checkpoints would hold it; found {found}"
        raise TypeError(msg)
    if not isinstance(mllm, AbstractMLLM):
        msg = f"`mllm` must be an AbstractMLLM; found {found}"
        raise TypeError(msg)
    offered = [name for name in _WHITE_BOX if hasattr(mllm, name)]
    if offered:
        msg = f"`mllm` must not offer {', '.join(offered)}; found {found}, which does"
        raise TypeError(msg)
