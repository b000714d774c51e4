"""A service on this machine for benchmarks: answers after a fixed time, at little cost.

It runs in a process of its own, so that its work takes nothing of the client's interpreter; the
processor is shared. What is asked is read and checked as in a rehearsal.
"""

import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.mllms import AbstractMLLM, Response
from blackbox_anon.server import ServiceOptions, Stats, serve
from blackbox_anon.world import PeopleWorld

MODEL = "peopleworld"


class Brightness(AbstractMLLM):
    """Tells the embedded world's actions by how bright a clip is: hardly a model."""

    @override
    def _respond(self, frames: Tensor, prompts: Sequence[str]) -> list[Response]:
        del prompts
        classes = PeopleWorld.classes
        slopes = 8 * torch.arange(len(classes), dtype=torch.float64)
        light = frames.double().flatten(1).mean(1, keepdim=True) / 255
        rows = (light * slopes).log_softmax(1).tolist()
        tops = [dict(zip(classes, row, strict=True)) for row in rows]
        return [Response(text=max(top, key=top.__getitem__), top_logprobs=top) for top in tops]


class Loopback:
    """A service in another process.

    Attributes:
        base_url: What clients are given.
    """

    def __init__(self, base_url: str, pipe: Connection) -> None:
        self.base_url, self._pipe = base_url, pipe

    def stats(self) -> Stats:
        """Return what it did so far."""
        self._pipe.send("stats")
        found: Stats = self._pipe.recv()
        return found


@contextmanager
def loopback(latency_s: float) -> Iterator[Loopback]:
    """Run the service while the context is open.

    Args:
        latency_s: Time from request to reply.
    """
    methods = multiprocessing.get_context("spawn")
    ours, theirs = methods.Pipe()
    process = methods.Process(target=_serve, args=(theirs, latency_s), daemon=True)
    process.start()
    theirs.close()  # so that its end is noticed here
    try:
        yield Loopback(ours.recv(), ours)
    finally:
        ours.close()
        process.join()


def _serve(pipe: Connection, latency_s: float) -> None:
    torch.set_num_threads(1)
    options = ServiceOptions(model=MODEL, latency_s=(latency_s, latency_s), batch_size=64)
    with serve(Brightness(), options) as running:
        pipe.send(running.base_url)
        while True:
            try:
                pipe.recv()
            except EOFError:
                return
            pipe.send(running.stats())
