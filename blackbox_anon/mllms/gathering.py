"""Who of one query's requests is still on the way, so that a batch leaves when it is complete."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Generic, TypeVar

from blackbox_anon.threads import CallerState

RequestT = TypeVar("RequestT")
AnswerT = TypeVar("AnswerT")

_current: ContextVar["Gathering[Any] | None"] = ContextVar("gathering", default=None)


class Gathering(Generic[RequestT]):
    """The requests of one ``query`` on their way through wrappers to a back-end.

    A request is *moving* until it is answered, arrives at a back-end that collects a batch, or
    waits for something that does not depend on that batch (:func:`paused`). When none is moving
    the batch is as large as it will get. So what a local model sees does not depend on timing.

    Args:
        requests: In the order they were asked; compared by identity.
    """

    def __init__(self, requests: Sequence[RequestT]) -> None:
        self.order = {id(request): i for i, request in enumerate(requests)}
        self.caller = CallerState.capture()
        self.moving = len(requests)
        self._watchers: dict[int, Callable[[], None]] = {}

    @staticmethod
    def of(request: object) -> "Gathering[Any] | None":
        """Return the gathering that a request belongs to, if it came through ``query``."""
        found = _current.get()
        return found if found is not None and id(request) in found.order else None

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Make this the gathering of all tasks that are made inside."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    async def follow(self, answering: Awaitable[AnswerT]) -> AnswerT:
        """Await an answer; the request stops moving when it is there."""
        try:
            return await answering
        finally:
            self._stop()

    def watch(self, owner: object, watcher: Callable[[], None]) -> None:
        """Call ``watcher`` whenever no request is moving; an owner has one watcher."""
        self._watchers[id(owner)] = watcher

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Count one request as not moving inside."""
        self._stop()
        try:
            yield
        finally:
            self.moving += 1

    def _stop(self) -> None:
        self.moving -= 1
        if self.moving == 0:
            loop = asyncio.get_running_loop()
            for watcher in self._watchers.values():
                loop.call_soon(watcher)


@contextmanager
def paused() -> Iterator[None]:
    """Mark a wait inside a wrapper's ``answer``: other requests need not wait for this one.

    A wrapper that sleeps, waits for another request, or waits for a budget must do so inside.
    """
    found = _current.get()
    if found is None:
        yield
        return
    with found.resting():
        yield


def stand_in(asked: object, waiting: object) -> None:
    """Let ``asked`` take the place of ``waiting`` in a batch, if that is nearer to the front.

    Where equal requests share one answer, which of them came first is a matter of timing; the order
    of the batch is not.
    """
    found = Gathering.of(waiting)
    if found is not None and id(asked) in found.order:
        order = found.order
        order[id(asked)] = min(order[id(asked)], order[id(waiting)])
