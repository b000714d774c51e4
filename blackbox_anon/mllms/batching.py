"""Any black box as the inner one of an asynchronous wrapper."""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import groupby

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.mllms.abstract import AbstractMLLM, Request
from blackbox_anon.mllms.answers import Answer, Usage
from blackbox_anon.mllms.asynchronous import AbstractAsyncMLLM
from blackbox_anon.mllms.gathering import Gathering
from blackbox_anon.threads import CallerState

_log = logging.getLogger(__name__)

STALLED_S = 10.0
"""How long a batch waits for requests that neither arrive nor say that they wait."""


def as_async(mllm: AbstractMLLM) -> AbstractAsyncMLLM:
    """Return ``mllm`` itself if it answers single requests, else a :class:`BatchingMLLM`."""
    return mllm if isinstance(mllm, AbstractAsyncMLLM) else BatchingMLLM(mllm)


@dataclass(eq=False)
class _Waiting:
    """A request that arrived, and where its answer goes."""

    request: Request
    answer: asyncio.Future[Answer]


class BatchingMLLM(AbstractAsyncMLLM):
    """Answers requests that arrive together in one batch of the black box inside.

    The requests of one ``query`` form one batch, in their order, as soon as all of them arrived or
    are known not to arrive; so a model inside sees the batch it would have seen without wrappers.
    Other requests are collected while a batch is being answered. Batches are answered one after
    the other in one worker thread.

    Args:
        mllm: The black box that answers batches.
    """

    def __init__(self, mllm: AbstractMLLM) -> None:
        super().__init__()
        self.mllm = mllm
        self._arrived: dict[Gathering[Request] | None, list[_Waiting]] = {}
        self._worker: ThreadPoolExecutor | None = None
        self._busy = False

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_arrived": {}, "_worker": None, "_busy": False}

    @property
    @override
    def sends_images(self) -> bool:
        return self.mllm.sends_images

    @property
    @override
    def answers_beside(self) -> bool:
        return self.mllm.answers_beside

    @property
    @override
    def identity(self) -> dict[str, object]:
        return dict(self.mllm.identity)

    @override
    def offer(self, choices: Sequence[str]) -> None:
        self.mllm.offer(choices)

    @override
    def payload(self, request: Request) -> bytes:
        return self.mllm.payload(request)

    @override
    def worst_case(self, request: Request) -> Usage:
        return self.mllm.worst_case(request)

    @override
    def figures(self) -> dict[str, float]:
        return self.mllm.figures()

    @override
    async def answer(self, request: Request) -> Answer:
        loop = asyncio.get_running_loop()
        waiting = _Waiting(request, loop.create_future())
        gathering: Gathering[Request] | None = Gathering.of(request)
        self._arrived.setdefault(gathering, []).append(waiting)
        if gathering is None:
            loop.call_soon(self._send_loose)
            return await waiting.answer
        gathering.watch(self, partial(self._send_complete, gathering))
        stalled = loop.call_later(STALLED_S, self._send_stalled, gathering)
        try:
            with gathering.resting():
                return await waiting.answer
        finally:
            stalled.cancel()

    def _send_complete(self, gathering: Gathering[Request]) -> None:
        if gathering.moving == 0:
            self._send(gathering)

    def _send_stalled(self, gathering: Gathering[Request]) -> None:
        if gathering in self._arrived:
            _log.warning(
                "a batch leaves without %d requests that did not arrive within %g s; a wrapper "
                "that waits must do so inside `paused()`",
                gathering.moving,
                STALLED_S,
            )
            self._send(gathering)

    def _send_loose(self) -> None:
        if not self._busy:
            self._send(None)

    def _send(self, gathering: Gathering[Request] | None) -> None:
        batch = self._arrived.pop(gathering, [])
        batch = [waiting for waiting in batch if not waiting.answer.done()]  # else cancelled
        if not batch:
            return
        if gathering is not None:
            batch.sort(key=lambda waiting: gathering.order[id(waiting.request)])
        if self._worker is None:
            self._worker = ThreadPoolExecutor(1, thread_name_prefix="mllm-batches")
        self._busy = True
        caller = None if gathering is None else gathering.caller
        requests = [waiting.request for waiting in batch]
        work = self._worker.submit(_answer_batch, self.mllm, requests, caller)
        done = asyncio.wrap_future(work)
        done.add_done_callback(lambda found: self._hand_out(batch, found))

    def _hand_out(self, batch: list[_Waiting], found: asyncio.Future[list[Answer]]) -> None:
        self._busy = False
        error = found.exception()
        for i, waiting in enumerate(batch):
            if waiting.answer.done():
                continue
            if error is not None:
                waiting.answer.set_exception(error)
            else:
                waiting.answer.set_result(found.result()[i])
        self._send_loose()


def _answer_batch(
    mllm: AbstractMLLM, requests: Sequence[Request], caller: CallerState | None
) -> list[Answer]:
    """Ask; clips of another size are a batch of their own."""
    answers: list[Answer] = []
    for _, group in groupby(requests, key=lambda request: request.frames.shape):
        same = list(group)
        frames: Tensor = torch.stack([request.frames for request in same])
        with nullcontext() if caller is None else caller.entered():
            answers += mllm._ask(frames, [request.prompt for request in same])
    return answers
