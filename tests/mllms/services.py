"""Services that are asked one request at a time, with a script instead of a model."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from blackbox_anon.mllms import (
    AbstractAsyncMLLM,
    AbstractMLLM,
    Answer,
    Request,
    Response,
    Usage,
)

WORST = Usage(input_tokens=100, output_tokens=50)
PRICES = {"m": {"input": 1000.0, "output": 2000.0}}
"""A thousandth of a dollar per input token: 0.2 USD for the worst case."""


class ScriptedService(AbstractAsyncMLLM):
    """Answers by a function of the request and of how many came before it."""

    def __init__(
        self,
        script: Callable[[Request, int], Answer | BaseException],
        *,
        delay_s: Callable[[int], float] = lambda _: 0.0,
        sends: bool = False,
    ) -> None:
        super().__init__()
        self.script, self.delay_s, self.sends = script, delay_s, sends
        self.asked: list[Request] = []
        self.at_once = 0
        self.most_at_once = 0

    @property
    def identity(self) -> Mapping[str, object]:
        return {"model": "m", "temperature": 0.0}

    @property
    def sends_images(self) -> bool:
        return self.sends

    def worst_case(self, request: Request) -> Usage:  # noqa: ARG002
        return WORST

    def figures(self) -> dict[str, float]:
        return {"service_calls": len(self.asked)}

    async def answer(self, request: Request) -> Answer:
        number = len(self.asked)
        self.asked.append(request)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.delay_s(number))
        finally:
            self.at_once -= 1
        found = self.script(request, number)
        if isinstance(found, BaseException):
            raise found
        return found


class BatchRecorder(AbstractMLLM):
    """A local model whose answer depends on the whole batch and the place in it."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[tuple[Tensor, list[str]]] = []

    def _respond(self, frames: Tensor, prompts: Sequence[str]) -> list[Response]:
        assert not torch.is_grad_enabled()
        self.batches.append((frames.clone(), list(prompts)))
        whole = frames.double().sum().item()
        return [
            Response(text=f"{prompt} {i}", top_logprobs={"a": -whole / (i + 3)})
            for i, prompt in enumerate(prompts)
        ]


def says(text: str, usage: Usage | None = None) -> Callable[[Request, int], Answer]:
    """A script that always answers the same."""
    return lambda _, __: Response(text=text, usage=usage)


def clips(count: int, *, seed: int = 0, size: int = 2) -> Tensor:
    """Different tiny uint8 clips."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 1, 3, size, size), dtype=torch.uint8, generator=generator)
