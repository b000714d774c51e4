"""Requests to batches: the model answers one batch at a time, in a thread of its own."""

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from blackbox_anon.mllms import AbstractMLLM, Answer


@dataclass(frozen=True, kw_only=True, eq=False)
class _Waiting:
    frames: Tensor
    question: str
    answer: "asyncio.Future[Answer]"


class Batcher:
    """Collects requests and asks the model.

    An answer must not depend on what else was asked at the time, or the differences that
    zeroth-order training lives on drown in it; and a processor's last bits depend on the size of a
    batch. So the model gets batches of one size, one shape and one question only: where fewer
    requests wait, the last clip fills the batch up.

    Args:
        mllm: Answers.
        batch_size: Clips in a batch.
        window_s: How long the first request of a batch waits for others, in seconds.
    """

    def __init__(self, mllm: AbstractMLLM, *, batch_size: int, window_s: float) -> None:
        self._mllm, self._batch_size, self._window_s = mllm, batch_size, window_s
        self._waiting: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mllm-server-model")
        self.batches: Counter[int] = Counter()

    async def ask(self, frames: Tensor, question: str) -> Answer:
        """Answer a question about a clip, uint8 ``(T, 3, H, W)``; raises what the model raises."""
        waiting = _Waiting(
            frames=frames,
            question=question,
            answer=asyncio.get_running_loop().create_future(),
        )
        await self._waiting.put(waiting)
        return await waiting.answer

    async def run(self) -> None:
        """Answer requests until cancelled."""
        try:
            while True:
                for group in _alike(await self._collect()):
                    await self._answer(group)
        finally:
            self._thread.shutdown(wait=True)

    async def _collect(self) -> list[_Waiting]:
        batch = [await self._waiting.get()]
        end = asyncio.get_running_loop().time() + self._window_s
        while len(batch) < self._batch_size:
            try:
                async with asyncio.timeout_at(end):
                    batch.append(await self._waiting.get())
            except TimeoutError:
                break
        return batch

    async def _answer(self, group: list[_Waiting]) -> None:
        self.batches[len(group)] += 1
        loop = asyncio.get_running_loop()
        answering = loop.run_in_executor(self._thread, self._query, group)
        await asyncio.wait([answering])
        error = answering.exception()
        for position, waiting in enumerate(group):
            if waiting.answer.cancelled():
                continue
            if error is not None:
                waiting.answer.set_exception(error)
            else:
                waiting.answer.set_result(answering.result()[position])

    def _query(self, group: list[_Waiting]) -> list[Answer]:
        filled = group + group[-1:] * (self._batch_size - len(group))
        clips = torch.stack([waiting.frames for waiting in filled])
        return self._mllm.query(clips, [waiting.question for waiting in filled])[: len(group)]


def _alike(batch: list[_Waiting]) -> list[list[_Waiting]]:
    groups: dict[tuple[torch.Size, str], list[_Waiting]] = {}
    for waiting in batch:
        groups.setdefault((waiting.frames.shape, waiting.question), []).append(waiting)
    return list(groups.values())
