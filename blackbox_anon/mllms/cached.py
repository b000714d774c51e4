"""Answers kept on the disk: the same question is not paid for twice."""

import asyncio
from collections import Counter
from functools import partial

from typing_extensions import override

from blackbox_anon.mllms.abstract import AbstractMLLM, Request
from blackbox_anon.mllms.answer_store import AnswerStore
from blackbox_anon.mllms.answers import Answer, Response
from blackbox_anon.mllms.gathering import paused, stand_in
from blackbox_anon.mllms.wrapping import AbstractWrapper, request_key
from blackbox_anon.threads import PerProcess

_POLL_S = 0.2  # how often another process's claim is looked at


class CachedMLLM(AbstractWrapper):
    """Answers what was asked before from a file; asks, and keeps, everything else.

    Two requests are the same if identity (model and parameters) and payload (the exact bytes) are.
    A response is on the disk before it is returned, so a run that was killed is repeated without
    paying twice, and with the same answers. Failures, refusals and empty answers are not kept.

    While a request is under way, the same request waits for its answer, in this process and in
    others that name the same file; if the process that asks is killed, another one asks.

    Where a model samples its answers, the cache hides that: the same question always gets the first
    answer again. A kept answer has the usage that was billed when it was made.

    Put it outermost, around :class:`~blackbox_anon.mllms.RetryingMLLM`.

    Args:
        mllm: What is asked.
        path: The cache, an SQLite file on a local disk, with answers as plain JSON.
    """

    def __init__(self, mllm: AbstractMLLM, *, path: str) -> None:
        super().__init__(mllm)
        self.path = path
        self._here = PerProcess(partial(AnswerStore, path))
        self._under_way: dict[str, tuple[Request, asyncio.Future[Answer]]] = {}
        self._counts: Counter[str] = Counter()

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_under_way": {}}

    @property
    def store(self) -> AnswerStore:
        """The file, opened at the first use in a process.

        Raises:
            StoreError: If the file is damaged, of another version, or something else.
        """
        return self._here.get()

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        opened = self._here.forget()
        if opened is not None:
            opened.close()

    @override
    def own_figures(self) -> dict[str, float]:
        return {
            "cache_hits": self._counts["kept"] + self._counts["shared"],
            "cache_shared": self._counts["shared"],
            "cache_size": self.store.size(),
        }

    @override
    async def answer(self, request: Request) -> Answer:
        key = await request_key(self, request)
        while key in self._under_way:
            asked, promise = self._under_way[key]
            stand_in(asked, request)
            with paused():
                await asyncio.wait([promise])
            if not promise.cancelled():  # else this task asks in its place
                self._counts["shared"] += 1
                return promise.result()
        promise = asyncio.get_running_loop().create_future()
        self._under_way[key] = (request, promise)
        try:
            answer = await self._find_or_ask(key, request)
        except asyncio.CancelledError:
            promise.cancel()
            raise
        except BaseException as error:
            promise.set_exception(error)
            promise.exception()  # nobody else may be there to look at it
            raise
        else:
            promise.set_result(answer)
            return answer
        finally:
            del self._under_way[key]

    async def _find_or_ask(self, key: str, request: Request) -> Answer:
        store = self.store
        while True:
            found: Response | bool | None = await asyncio.wrap_future(store.get(key))
            if found is None:
                found = await self._claim(store, key)
            if isinstance(found, Response):
                self._counts["kept"] += 1
                return found
            if found is True:
                return await self._ask_and_keep(store, key, request)
            with paused():
                await asyncio.sleep(_POLL_S)

    async def _claim(self, store: AnswerStore, key: str) -> Response | bool:
        """Claim a key; the claim is given up if this task is cancelled meanwhile."""
        claiming = store.claim(key)
        try:
            return await asyncio.wrap_future(claiming)
        except asyncio.CancelledError:
            store.give_up(key)
            raise

    async def _ask_and_keep(self, store: AnswerStore, key: str, request: Request) -> Answer:
        try:
            answer = await self.ask_inside(request)
        except BaseException:
            store.give_up(key)
            raise
        if isinstance(answer, Response) and answer.text.strip():
            await asyncio.wrap_future(store.put(key, answer))
        else:
            store.give_up(key)
        return answer
