"""A reply on its way: whole, or broken on purpose."""

import asyncio
import json
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from blackbox_anon.server.api_error import ApiError, rate_limited, server_error
from blackbox_anon.server.schedule import FaultKind

_DRIPS = 50


def fault_before_answer(kind: FaultKind | None, retry_after_s: float) -> ApiError | None:
    """Return the error of a fault that strikes before the model is asked."""
    if kind == "429":
        return rate_limited("Rate limit reached (injected)", retry_after_s)
    if kind == "429-bare":
        return rate_limited("Rate limit reached (injected)", None)
    if kind == "500":
        return server_error("The server had an error (injected)")
    if kind == "error-200":
        error = server_error("Upstream error (injected)")
        error.status = 200
        return error
    return None


def spoil(body: dict[str, Any], kind: FaultKind | None) -> bytes:
    """Write a reply's JSON, spoilt as ``kind`` has it.

    ``empty`` has no choice, ``refusal`` a message that declines, ``content-filter`` a filter's
    finish reason and no text, ``wrong-model`` another model's name; ``malformed`` ends in the
    middle; ``duplicate`` is the JSON twice over, as after a proxy that sent its buffer again: what
    follows the first is garbage, and the reply must be taken for broken.
    """
    change = _CHANGES.get(kind) if kind is not None else None
    sent = json.dumps(body if change is None else {**body, **change(body)}).encode()
    if kind == "malformed":
        return sent[: len(sent) // 2]
    return sent * 2 if kind == "duplicate" else sent


def _without_choices(body: Mapping[str, Any]) -> dict[str, Any]:
    del body
    return {"choices": []}


def _declined(body: Mapping[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": None, "refusal": "I can't help with that (injected)"}
    return {"choices": [{**body["choices"][0], "message": message, "logprobs": None}]}


def _filtered(body: Mapping[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": "", "refusal": None}
    choice = {"message": message, "logprobs": None, "finish_reason": "content_filter"}
    return {"choices": [{**body["choices"][0], **choice}]}


def _renamed(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"model": f"{body['model']}-mini"}


_CHANGES: dict[FaultKind, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "empty": _without_choices,
    "refusal": _declined,
    "content-filter": _filtered,
    "wrong-model": _renamed,
}


async def deliver(
    request: web.Request,
    sent: bytes,
    kind: FaultKind | None,
    *,
    status: int,
    headers: Mapping[str, str],
    drip_s: float,
) -> web.StreamResponse:
    """Send a reply.

    ``drip`` sends it whole, but over ``drip_s`` seconds; ``reset`` sends half of it, then a TCP
    reset.
    """
    response = web.StreamResponse(status=status, headers=headers)
    response.content_type = "application/json"
    response.content_length = len(sent)
    await response.prepare(request)
    if kind == "reset":
        await response.write(sent[: len(sent) // 2])
        _reset(request)
        return response
    pieces = _DRIPS if kind == "drip" else 1
    size = -(-len(sent) // pieces)
    for start in range(0, len(sent), size):
        if start > 0:
            await asyncio.sleep(drip_s / (pieces - 1))
        await response.write(sent[start : start + size])
    await response.write_eof()
    return response


def _reset(request: web.Request) -> None:
    transport = request.transport
    if transport is None:  # the client was faster
        return
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
