"""The black box: frames and questions in, text out, every query counted.

Nothing in here is an ``nn.Module``. A back-end implements one method; counting, rounding to the 8
bits a service would receive and the absence of gradients come with the base class.

Three wrappers stand around whatever is paid for; each is a black box itself, around any other:
:class:`CachedMLLM` asks nothing twice, :class:`RetryingMLLM` repeats what failed, and
:class:`BudgetedMLLM` lets no attempt pass that a cap may not bear. In a config, outermost first::

    class_path: CachedMLLM
    init_args:
      path: runs/cache.sqlite
      mllm:
        class_path: RetryingMLLM
        init_args:
          mllm:
            class_path: BudgetedMLLM
            init_args:
              path: runs/ledger.sqlite
              max_cost_usd: 20
              mllm: {class_path: ...}

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

from blackbox_anon.mllms.abstract import AbstractMLLM, Request, to_uint8
from blackbox_anon.mllms.answers import Answer, Failure, FailureKind, Response, Usage, answered
from blackbox_anon.mllms.asynchronous import AbstractAsyncMLLM
from blackbox_anon.mllms.batching import BatchingMLLM, as_async
from blackbox_anon.mllms.budgeted import BudgetedMLLM
from blackbox_anon.mllms.cached import CachedMLLM
from blackbox_anon.mllms.contract import check_black_box
from blackbox_anon.mllms.gathering import paused
from blackbox_anon.mllms.huggingface import HuggingFaceMLLM
from blackbox_anon.mllms.openai_compatible import OpenAICompatibleMLLM
from blackbox_anon.mllms.released import AnonymizedFrames, RawFrames
from blackbox_anon.mllms.retrying import RetryingMLLM, SystemClock
from blackbox_anon.mllms.wrapping import AbstractWrapper, layers

__all__ = [
    "AbstractAsyncMLLM",
    "AbstractMLLM",
    "AbstractWrapper",
    "AnonymizedFrames",
    "Answer",
    "BatchingMLLM",
    "BudgetedMLLM",
    "CachedMLLM",
    "Failure",
    "FailureKind",
    "HuggingFaceMLLM",
    "OpenAICompatibleMLLM",
    "RawFrames",
    "Request",
    "Response",
    "RetryingMLLM",
    "SystemClock",
    "Usage",
    "answered",
    "as_async",
    "check_black_box",
    "layers",
    "paused",
    "to_uint8",
]
