"""A client that hides nothing: the standard library's, one connection a request."""

import base64
import http.client
import io
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from PIL import Image
from torch import Tensor

from blackbox_anon.server import Running

QUESTION = "What is the person doing?"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    data: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401  # a reply is whatever it is
        return json.loads(self.data)

    @property
    def choice(self) -> Any:  # noqa: ANN401
        [choice] = self.json["choices"]
        return choice

    @property
    def text(self) -> str:
        content = self.choice["message"]["content"]
        assert isinstance(content, str)
        return content

    @property
    def error(self) -> Any:  # noqa: ANN401
        assert set(self.json) == {"error"}
        assert set(self.json["error"]) == {"message", "type", "param", "code"}
        return self.json["error"]


def data_uri(frame: Tensor, kind: str = "png") -> str:
    """A frame, uint8 ``(3, H, W)``, as a request holds it; webp without loss."""
    file = io.BytesIO()
    image = Image.fromarray(frame.permute(1, 2, 0).contiguous().numpy())
    image.save(file, kind, **({"lossless": True} if kind == "webp" else {}))
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def fields(clip: Tensor, question: str = QUESTION, /, **others: object) -> dict[str, Any]:
    """A request about a clip, uint8 ``(T, 3, H, W)``."""
    images = [{"type": "image_url", "image_url": {"url": data_uri(frame)}} for frame in clip]
    content = [{"type": "text", "text": question}, *images]
    messages = [{"role": "user", "content": content}]
    return {"model": "peopleworld", "messages": messages, **others}


def body(clip: Tensor, question: str = QUESTION, /, **others: object) -> bytes:
    return json.dumps(fields(clip, question, **others)).encode()


def ask(
    running: Running,
    sent: bytes,
    *,
    method: str = "POST",
    path: str = "/v1/chat/completions",
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 600,
) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=timeout_s)
    try:
        connection.request(method, path, sent or None, dict(headers or {}))
        reply = connection.getresponse()
        return Reply(reply.status, dict(reply.getheaders()), reply.read())
    finally:
        connection.close()


def get(running: Running, path: str, headers: Mapping[str, str] | None = None) -> Reply:
    return ask(running, b"", method="GET", path=path, headers=headers)


def ask_all(running: Running, bodies: Iterable[bytes], at_once: int = 8) -> list[Reply]:
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(lambda sent: ask(running, sent), bodies))


def changed(clip: Tensor, **changes: object) -> bytes:
    """A request about a clip with some fields in place of the usual ones."""
    return json.dumps({**fields(clip), **changes}).encode()


def with_url(url: object) -> list[dict[str, object]]:
    parts = [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": url}}]
    return [{"role": "user", "content": parts}]
