"""The endpoints, and a request's way through them."""

import asyncio
import hmac
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256

from aiohttp import web

from blackbox_anon import __version__
from blackbox_anon.mllms import AbstractMLLM, Failure, Response
from blackbox_anon.server.api_error import ApiError, rate_limited, server_error
from blackbox_anon.server.batching import Batcher
from blackbox_anon.server.delivery import deliver, fault_before_answer, spoil
from blackbox_anon.server.journal import Entry, Journal
from blackbox_anon.server.options import ServiceOptions
from blackbox_anon.server.rate_limit import TokenBucket
from blackbox_anon.server.recording import record_body
from blackbox_anon.server.reply import completion, tell
from blackbox_anon.server.request_body import Asked, parse_request
from blackbox_anon.server.tally import Stats, Tally

_log = logging.getLogger(__name__)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """What to send, and what to write down."""

    entry: Entry
    sent: bytes
    headers: dict[str, str]


class Service:
    """A model behind OpenAI's chat completions endpoint.

    Args:
        mllm: Answers; a local model.
        options: How the service behaves.
        journal: Where each request is written down.
    """

    def __init__(self, mllm: AbstractMLLM, options: ServiceOptions, *, journal: Journal) -> None:
        self._options, self._journal = options, journal
        self._schedule = options.schedule
        self._tally = Tally(journal.earlier)
        self._batcher = Batcher(
            mllm, batch_size=options.batch_size, window_s=options.batch_window_s
        )
        self._bucket = None
        if options.rate_per_s is not None:
            self._bucket = TokenBucket(options.rate_per_s, burst=options.burst)
        identity = json.dumps([__version__, options.model, dict(mllm.identity)])
        self._fingerprint = f"fp_{sha256(identity.encode()).hexdigest()[:10]}"
        self._started = int(time.time())

    def application(self) -> web.Application:
        """Return the web application."""
        application = web.Application(
            client_max_size=self._options.max_body_mib * 2**20, middlewares=[_openai_errors]
        )
        application.add_routes(
            [
                web.post("/v1/chat/completions", self._chat),
                web.get("/v1/models", self._models),
                web.get("/healthz", self._health),
                web.get("/__stats", self._stats),
            ]
        )
        application.cleanup_ctx.append(self._answering)
        return application

    def stats(self) -> Stats:
        """Return what was done so far."""
        return self._tally.stats(self._batcher.batches, self._bucket)

    async def _answering(self, application: web.Application) -> AsyncIterator[None]:
        del application
        running = asyncio.create_task(self._batcher.run())
        yield
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    async def _health(self, request: web.Request) -> web.Response:
        del request
        return web.json_response({"status": "ok"})

    async def _stats(self, request: web.Request) -> web.Response:
        del request
        return web.json_response(self.stats())

    async def _models(self, request: web.Request) -> web.Response:
        self._check_key(request)
        model = {
            "id": self._options.model,
            "object": "model",
            "created": self._started,
            "owned_by": "blackbox-anon",
        }
        return web.json_response({"object": "list", "data": [model]})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        self._tally.enter()
        try:
            return await self._answer(request)
        finally:
            self._tally.leave()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        start = time.monotonic()
        entry = Entry(time=time.time(), sha256="")
        try:
            body = await self._read(request)
            entry = replace(entry, sha256=sha256(body).hexdigest())
            asked = await self._admit(request, body)
        except ApiError as error:
            self._write(_failed(entry, error))
            raise
        attempt = self._tally.next_attempt(entry.sha256)
        entry = replace(entry, attempt=attempt, fault=self._schedule.fault(entry.sha256, attempt))
        outcome = await self._outcome(entry, asked)
        self._write(outcome.entry)
        latency = self._options.latency(entry.sha256, attempt)
        await asyncio.sleep(max(0.0, start + latency - time.monotonic()))
        return await deliver(
            request,
            outcome.sent,
            entry.fault,
            status=outcome.entry.status,
            headers=outcome.headers,
            drip_s=self._options.drip_s,
        )

    async def _read(self, request: web.Request) -> bytes:
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge as error:
            most = self._options.max_body_mib
            msg = f"`body` must be at most {most} MiB; found more"
            raise ApiError(msg, status=413, code="request_too_large") from error
        if self._options.record_bytes is not None:
            await asyncio.to_thread(record_body, self._options.record_bytes, body)
        return body

    async def _admit(self, request: web.Request, body: bytes) -> Asked:
        """Check key, rate and content, in this order."""
        self._check_key(request)
        wait_s = 0.0 if self._bucket is None else self._bucket.take()
        if wait_s > 0:
            raise rate_limited(f"Rate limit reached, try again in {wait_s:.3f} s", wait_s)
        return await asyncio.to_thread(
            parse_request,
            body,
            model=self._options.model,
            max_images=self._options.max_images,
            structured=self._options.structured,
        )

    def _check_key(self, request: web.Request) -> None:
        expected = self._options.api_key
        brought = request.headers.get("Authorization", "")
        if expected is not None and not hmac.compare_digest(
            brought.encode(errors="surrogateescape"), f"Bearer {expected}".encode()
        ):
            msg = "Incorrect API key provided, or none: expected an `Authorization: Bearer` header"
            raise ApiError(msg, status=401, code="invalid_api_key")

    async def _outcome(self, entry: Entry, asked: Asked) -> _Outcome:
        """Ask the model unless a fault forestalls it."""
        error = fault_before_answer(entry.fault, self._options.retry_after_s)
        if error is None:
            found = await self._ask(asked)
            if isinstance(found, Response):
                return self._completed(entry, asked, found)
            error, entry = found, replace(entry, fault=None)  # the fault had no reply to spoil
        return _Outcome(
            entry=_failed(entry, error),
            sent=json.dumps(error.body).encode(),
            headers=error.headers,
        )

    async def _ask(self, asked: Asked) -> Response | ApiError:
        [found] = await asyncio.gather(
            self._batcher.ask(asked.frames, asked.question), return_exceptions=True
        )
        if isinstance(found, Response):
            return found
        if isinstance(found, Failure):
            return server_error(f"The model gave no answer: {found.kind}: {found.message}")
        if not isinstance(found, Exception):  # cancelled: the server stops
            raise found
        _log.error("the model failed", exc_info=found)
        return server_error(f"The model failed: {type(found).__name__}: {found}")

    def _completed(self, entry: Entry, asked: Asked, response: Response) -> _Outcome:
        told = tell(asked, response, tokens_per_image=self._options.tokens_per_image)
        id_ = f"chatcmpl-{entry.sha256[:24]}-{entry.attempt}"
        body = completion(
            told,
            asked,
            response,
            model=self._options.model,
            fingerprint=self._fingerprint,
            id_=id_,
            now=int(entry.time),
        )
        paid = replace(
            entry,
            paid=True,
            prompt_tokens=told.usage.input_tokens,
            completion_tokens=told.usage.output_tokens,
        )
        return _Outcome(entry=paid, sent=spoil(body, entry.fault), headers={"x-request-id": id_})

    def _write(self, entry: Entry) -> None:
        self._journal.append(entry)
        self._tally.add(entry)


def _failed(entry: Entry, error: ApiError) -> Entry:
    return replace(entry, status=error.status, error=error.code or error.kind)


@web.middleware
async def _openai_errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Write refusals, and paths that are not there, as OpenAI's clients expect them."""
    try:
        return await handler(request)
    except ApiError as error:
        found = error
    except web.HTTPException as error:
        with suppress(web.HTTPRequestEntityTooLarge):
            await request.read()  # so that a recording holds it before the reply is out
        found = ApiError(f"{request.method} {request.path}: {error.reason}", status=error.status)
    return web.json_response(found.body, status=found.status, headers=found.headers)
