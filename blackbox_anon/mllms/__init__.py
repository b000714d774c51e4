"""The black box: frames and questions in, text out, every query counted.

Nothing in here is an ``nn.Module``. A back-end implements one method; counting, rounding to the 8
bits a service would receive and the absence of gradients come with the base class.

Example:
    >>> import torch
    >>> from blackbox_anon.mllms import AbstractMLLM, Response
    >>> class Brightness(AbstractMLLM):
    ...     def _respond(self, frames, prompts):
    ...         means = frames.float().mean(dim=(1, 2, 3, 4))
    ...         return [Response(text="bright" if mean > 127 else "dark") for mean in means]
    >>> mllm = Brightness()
    >>> clips = torch.stack([torch.zeros(8, 3, 4, 4), torch.ones(8, 3, 4, 4)])
    >>> [response.text for response in mllm.query(clips, ["Is it day?"] * 2)]
    ['dark', 'bright']
    >>> mllm.queries
    2
"""

from blackbox_anon.mllms.abstract import AbstractMLLM, Response, to_uint8
from blackbox_anon.mllms.contract import check_black_box
from blackbox_anon.mllms.huggingface import HuggingFaceMLLM

__all__ = ["AbstractMLLM", "HuggingFaceMLLM", "Response", "check_black_box", "to_uint8"]
