"""Black boxes that are asked one request at a time, many at once."""

import asyncio
import logging
import os
import threading
from abc import abstractmethod
from collections.abc import Callable, Sequence
from concurrent import futures
from functools import cache
from typing import final

from torch import Tensor
from typing_extensions import override

from blackbox_anon.mllms.abstract import AbstractMLLM, Request
from blackbox_anon.mllms.answers import Answer
from blackbox_anon.mllms.gathering import Gathering

_log = logging.getLogger(__name__)

PATIENCE_S = 30.0
"""How long a run that ends waits for calls under way, so that a cache can keep their answers."""


class AbstractAsyncMLLM(AbstractMLLM):
    """A black box whose requests are answered concurrently: a service, or a wrapper around any.

    All coroutines of a process run in one event loop, in a thread of its own, so clients and
    limiters can keep their connections from call to call.
    """

    @abstractmethod
    async def answer(self, request: Request) -> Answer:
        """Answer one request.

        What goes wrong with the call is returned as a :class:`Failure`; raised is only what must
        stop the run, such as an exhausted budget or a refused key.
        """

    @override
    @final
    def _respond(self, frames: Tensor, prompts: Sequence[str]) -> list[Answer]:
        return self._respond_meanwhile(frames, prompts, None)

    @override
    @final
    def _respond_meanwhile(
        self, frames: Tensor, prompts: Sequence[str], meanwhile: Callable[[], None] | None
    ) -> list[Answer]:
        requests = [
            Request(frames=clip, prompt=prompt)
            for clip, prompt in zip(frames, prompts, strict=True)
        ]
        handed = threading.Event()
        answering = self._answer_all(requests, Gathering(requests), handed)
        answers = asyncio.run_coroutine_threadsafe(answering, event_loop())
        try:
            if meanwhile is not None:
                # Else this thread, at work, would make the other one wait before it sends anything.
                answers.add_done_callback(lambda _: handed.set())
                handed.wait()
                meanwhile()
            return answers.result()
        except BaseException as error:
            if not answers.done():
                why = "interrupted" if isinstance(error, KeyboardInterrupt) else "an error"
                _log.warning("%s: waiting for calls that are paid for; Ctrl-C leaves them", why)
                futures.wait([answers], timeout=PATIENCE_S)
            raise

    async def _answer_all(
        self, requests: Sequence[Request], gathering: Gathering[Request], handed: threading.Event
    ) -> list[Answer]:
        """Ask all at once; after an error the others are left to end, then it is raised.

        ``handed`` is set when each request has come as far as it comes without waiting.
        """
        with gathering.entered():
            answers = asyncio.gather(
                *(gathering.follow(self.answer(request)) for request in requests),
                return_exceptions=True,
            )
            asyncio.get_running_loop().call_soon(handed.set)  # behind the requests' first steps
            found = await answers
        for answer in found:
            if isinstance(answer, BaseException):
                raise answer
        return [answer for answer in found if not isinstance(answer, BaseException)]


@cache
def event_loop() -> asyncio.AbstractEventLoop:
    """Return the process's loop for black boxes, running in a daemon thread."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="mllm-requests", daemon=True).start()
    return loop


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=event_loop.cache_clear)  # the thread is not forked
