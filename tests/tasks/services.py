"""A service whose loss is known, that loses the calls a test names."""

from collections.abc import Collection, Sequence

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.mllms import AbstractAsyncMLLM, Answer, Failure, Request
from blackbox_anon.world import PeopleWorld
from tests.mllms_fakes import LinearMLLM


class LinearService(AbstractAsyncMLLM):
    """Tells actions by brightness, one request at a time, in another thread than the asker's.

    Args:
        per_query: Requests of one query.
        lost: Queries, counted from 0, of which every answer is lost.
        broken: Query at which what must stop a run is raised.
    """

    def __init__(
        self,
        per_query: int = 4,
        lost: Collection[int] = (),
        broken: tuple[int, BaseException] | None = None,
    ) -> None:
        super().__init__()
        classes = PeopleWorld.classes
        self.model = LinearMLLM(classes, [8.0 * k for k in range(len(classes))])
        self.per_query, self.lost, self.broken = per_query, lost, broken
        self.asked: list[Tensor] = []

    @property
    @override
    def sends_images(self) -> bool:
        return True

    @override
    async def answer(self, request: Request) -> Answer:
        query = len(self.asked) // self.per_query
        self.asked.append(request.frames)
        if self.broken is not None and self.broken[0] == query:
            raise self.broken[1]
        if query in self.lost:
            return Failure(kind="timeout", message="lost")
        return self._known(request.frames, [request.prompt])[0]

    def _known(self, frames: Tensor, prompts: Sequence[str]) -> list[Answer]:
        return self.model.query(frames.unsqueeze(0), prompts)


def differing(ours: object, theirs: object, where: str = "") -> list[str]:
    """Name what differs in nested values; tensors must agree in every bit."""
    if isinstance(ours, Tensor) and isinstance(theirs, Tensor):
        agree = ours.shape == theirs.shape and torch.allclose(
            ours, theirs, rtol=0, atol=0, equal_nan=True
        )
        return [] if agree else [where]
    if isinstance(ours, list | tuple) and isinstance(theirs, list | tuple):
        ours, theirs = dict(enumerate(ours)), dict(enumerate(theirs))
    if isinstance(ours, dict) and isinstance(theirs, dict):
        found = [f"{where}.{key}" for key in ours.keys() ^ theirs.keys()]
        for key in ours.keys() & theirs.keys():
            found += differing(ours[key], theirs[key], f"{where}.{key}")
        return found
    return [] if ours == theirs else [where]
