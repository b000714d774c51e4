"""A service in a thread of this process."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress

from aiohttp import web

from blackbox_anon.errors import BlackboxAnonError
from blackbox_anon.mllms import AbstractMLLM
from blackbox_anon.server.journal import Journal
from blackbox_anon.server.options import ServiceOptions
from blackbox_anon.server.recording import RecordingProtocol
from blackbox_anon.server.service import Service
from blackbox_anon.server.tally import Stats

LOOPBACK = "127.0.0.1"
_STOP_AFTER_S = 0.2  # what replies in flight get when the service stops
_ACCEPTING = 3  # turns of the event loop that make a connection of who was let in


class Running:
    """A service that runs.

    Attributes:
        port: Where it listens, on the loopback interface.
        options: How it behaves.
    """

    def __init__(self, port: int, options: ServiceOptions, stats: Callable[[], Stats]) -> None:
        self.port, self.options, self._stats = port, options, stats

    @property
    def root_url(self) -> str:
        """Where ``/healthz`` and ``/__stats`` are."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def base_url(self) -> str:
        """What clients of OpenAI's are given as ``base_url``."""
        return f"{self.root_url}/v1"

    def stats(self) -> Stats:
        """Return what was done so far; also after the service stopped."""
        return self._stats()


@contextmanager
def serve(mllm: AbstractMLLM, options: ServiceOptions | None = None) -> Iterator[Running]:
    """Serve a local model over HTTP while the context is open.

    Args:
        mllm: Answers. It is asked from one other thread, one batch at a time. To constrain answers
            to choices it must report enough first tokens (``num_logprobs``).
        options: How the service behaves; ``None``: without faults or limits.

    Yields:
        Where the service is, and what it did.

    Raises:
        ValueError: If ``mllm`` would send the images elsewhere.
        BlackboxAnonError: If the port is taken, or the journal is no journal.
    """
    if mllm.sends_images:
        found = type(mllm).__name__
        msg = f"`mllm` must be local; found {found}, which would send the images elsewhere"
        raise ValueError(msg)
    with Journal((options := options or ServiceOptions()).journal, fsync=options.fsync) as journal:
        host = _Host(Service(mllm, options, journal=journal), options)
        thread = threading.Thread(target=host.run, name="mllm-server")
        thread.start()
        try:
            yield Running(host.port.result(), options, host.stats)
        finally:
            host.stop()
            thread.join()


class _Host:
    """The event loop's thread."""

    def __init__(self, service: Service, options: ServiceOptions) -> None:
        self._service, self._options = service, options
        self.port: Future[int] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()

    def run(self) -> None:
        try:
            asyncio.run(self._main())
        finally:
            if not self.port.done():  # the reason is on stderr
                self.port.set_exception(BlackboxAnonError("the service did not start"))

    def stop(self) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # closed already
                self._loop.call_soon_threadsafe(self._stopping.set)

    def stats(self) -> Stats:
        """Sums, taken between two events, so that they fit each other."""
        if self._loop is None or self._loop.is_closed():
            return self._service.stats()
        return asyncio.run_coroutine_threadsafe(self._summed(), self._loop).result()

    async def _summed(self) -> Stats:
        return self._service.stats()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        runner = web.AppRunner(
            self._service.application(),
            access_log=None,
            handle_signals=False,
            shutdown_timeout=_STOP_AFTER_S,
        )
        await runner.setup()
        try:
            await self._listen(runner)
        finally:
            await runner.cleanup()

    async def _listen(self, runner: web.AppRunner) -> None:
        loop = asyncio.get_running_loop()
        try:
            listening = await loop.create_server(
                self._protocols(runner), LOOPBACK, self._options.port
            )
        except OSError as error:
            msg = f"`port` must be free; found {self._options.port} ({error.strerror})"
            self.port.set_exception(BlackboxAnonError(msg))
            return
        self.port.set_result(listening.sockets[0].getsockname()[1])
        await self._stopping.wait()
        # Closed at once, it would forget who was just let in, and leave their sockets open.
        for listener in listening.sockets:
            loop.remove_reader(listener.fileno())
        for _ in range(_ACCEPTING):
            await asyncio.sleep(0)
        listening.close()

    def _protocols(self, runner: web.AppRunner) -> Callable[[], asyncio.Protocol]:
        server, folder = runner.server, self._options.record_bytes
        assert server is not None  # after setup
        return server if folder is None else lambda: RecordingProtocol(server(), folder)
