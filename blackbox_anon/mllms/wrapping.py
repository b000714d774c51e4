"""What every wrapper has: a black box inside, whose identity and costs it passes on."""

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import final
from weakref import WeakKeyDictionary

from typing_extensions import override

from blackbox_anon.mllms.abstract import AbstractMLLM, Request
from blackbox_anon.mllms.answers import Answer, Usage
from blackbox_anon.mllms.asynchronous import AbstractAsyncMLLM
from blackbox_anon.mllms.batching import as_async
from blackbox_anon.mllms.contract import check_black_box


class AbstractWrapper(AbstractAsyncMLLM):
    """A black box around another one, local or remote.

    ``queries`` counts what the wrapper was asked; the black box inside counts what it was really
    asked: fewer where answers were known, more where calls were repeated.

    Args:
        mllm: The black box inside.

    Raises:
        TypeError: If it can be looked into, see :func:`~blackbox_anon.mllms.check_black_box`.
    """

    def __init__(self, mllm: AbstractMLLM) -> None:
        check_black_box(mllm)
        super().__init__()
        self.mllm = mllm
        self._inner = as_async(mllm)

    @property
    @override
    @final
    def sends_images(self) -> bool:
        return self.mllm.sends_images

    @property
    @override
    @final
    def answers_beside(self) -> bool:
        return self.mllm.answers_beside

    @property
    @override
    @final
    def identity(self) -> Mapping[str, object]:
        return self.mllm.identity

    @override
    @final
    def offer(self, choices: Sequence[str]) -> None:
        self.mllm.offer(choices)

    @override
    @final
    def payload(self, request: Request) -> bytes:
        return self.mllm.payload(request)

    @override
    @final
    def worst_case(self, request: Request) -> Usage:
        return self.mllm.worst_case(request)

    @override
    @final
    def figures(self) -> dict[str, float]:
        return {**self.mllm.figures(), **self.own_figures()}

    def own_figures(self) -> dict[str, float]:
        """Return what this wrapper adds to the figures of the black box inside."""
        return {}

    async def ask_inside(self, request: Request) -> Answer:
        """Ask the black box inside, and let it count the query."""
        if self._inner is self.mllm:  # else it counts its batches itself
            self._inner._queries += 1
        return await self._inner.answer(request)


def layers(mllm: AbstractMLLM) -> list[AbstractMLLM]:
    """Return a black box and what it wraps, outermost first."""
    found = [mllm]
    while isinstance(found[-1], AbstractWrapper):
        found.append(found[-1].mllm)
    return found


async def request_key(mllm: AbstractMLLM, request: Request) -> str:
    """Return the SHA-256 of what is asked of whom: identity and payload, in hexadecimal.

    It is computed once per request, as wrappers pass on what they wrap, and in a worker thread: a
    payload may hold compressed images.
    """
    identity = json.dumps(dict(mllm.identity), sort_keys=True, separators=(",", ":"))
    known = _keys.get(request)
    if known is None or known[0] != identity:
        digest = await asyncio.to_thread(_digest, mllm, identity, request)
        known = _keys[request] = (identity, digest)
    return known[1]


def _digest(mllm: AbstractMLLM, identity: str, request: Request) -> str:
    return hashlib.sha256(identity.encode() + b"\0" + mllm.payload(request)).hexdigest()


_keys: WeakKeyDictionary[Request, tuple[str, str]] = WeakKeyDictionary()
