"""Models that answer with what they were asked."""

from collections.abc import Sequence

from torch import Tensor
from typing_extensions import override

from blackbox_anon.mllms import AbstractMLLM, Response


class EchoMLLM(AbstractMLLM):
    """Answers with the question."""

    @override
    def _respond(self, frames: Tensor, prompts: Sequence[str]) -> list[Response]:
        return [Response(text=prompt, top_logprobs={"a": -1e-7, "b": -200.5}) for prompt in prompts]
