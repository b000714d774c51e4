"""Requests are written shortly before their turn, not all at once."""

import asyncio

import pytest
import torch

from blackbox_anon.mllms import AnonymizedFrames, Request, Response
from blackbox_anon.mllms.asynchronous import event_loop
from blackbox_anon.server import ServiceOptions, serve
from blackbox_anon.services import Asking
from blackbox_anon.services.lines import _AHEAD
from tests.mllms.openai.asking import MODEL, NEVER_S, asking
from tests.mllms.processes import PATIENCE_S


def test_few_are_written_before_those_in_flight_are_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written: list[Request] = []
    write = Asking.body

    def note(asking_: Asking, request: Request) -> bytes:
        written.append(request)
        return write(asking_, request)

    monkeypatch.setattr(Asking, "body", note)
    frames = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    requests = [Request(frames=frames, prompt=str(i)) for i in range(4 * _AHEAD)]

    async def ask() -> None:
        """No answer comes: so many are in flight, and so many wait written for their turn."""
        tasks = [asyncio.ensure_future(mllm.answer(request)) for request in requests]
        while len(written) < _AHEAD + 3:
            await asyncio.sleep(0.001)
        for _ in range(100):  # the others are not written in whatever time
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    with (
        serve(MODEL, ServiceOptions(latency_s=(NEVER_S, NEVER_S))) as running,
        asking(running.base_url, start_concurrency=3, max_concurrency=3) as mllm,
    ):
        asyncio.run_coroutine_threadsafe(ask(), event_loop()).result(PATIENCE_S)
        assert len(written) == _AHEAD + 3
        assert mllm.figures()["in_flight"] == 0  # what was cancelled gave its place back


def test_all_are_answered_in_the_end() -> None:
    count = 3 * _AHEAD
    frames = AnonymizedFrames(torch.zeros(count, 1, 3, 4, 4, dtype=torch.uint8))
    with serve(MODEL) as running, asking(running.base_url, start_concurrency=2) as mllm:
        answers = mllm.query(frames, [str(i) for i in range(count)])
    assert all(isinstance(answer, Response) for answer in answers)
