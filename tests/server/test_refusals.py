"""What is refused, and which field is named."""

import json

import pytest
from torch import Tensor

from tests.server.asking import (
    ask,
    body,
    changed,
    data_uri,
    fields,
    get,
    with_url,
)
from tests.server.conftest import Serve

REFUSED: list[tuple[dict[str, object], int, str | None]] = [
    ({"model": "gpt-4o"}, 404, "model"),
    ({"top_logprobs": 21, "logprobs": True}, 400, "top_logprobs"),
    ({"top_logprobs": -1, "logprobs": True}, 400, "top_logprobs"),
    ({"top_logprobs": True, "logprobs": True}, 400, "top_logprobs"),
    ({"top_logprobs": 2}, 400, "logprobs"),
    ({"max_tokens": -1}, 400, "max_tokens"),
    ({"max_tokens": 1, "max_completion_tokens": 1}, 400, "max_tokens"),
    ({"stream": True}, 400, "stream"),
    ({"n": 2}, 400, "n"),
    ({"messages": []}, 400, "messages"),
    ({"messages": "hello"}, 400, "messages"),
    ({"messages": [{"role": "user", "content": "no picture"}]}, 400, "messages"),
    ({"messages": [{"role": "user"}]}, 400, "messages"),
    ({"messages": [{"role": "robot", "content": "?"}]}, 400, "messages"),
    ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, 400, "messages"),
    ({"messages": with_url("https://example.org/a.png")}, 400, "image_url.url"),
    ({"messages": with_url("file:///etc/passwd")}, 400, "image_url.url"),
    ({"messages": with_url(None)}, 400, "image_url.url"),
    ({"messages": with_url("data:image/png;base64,@@@")}, 400, "image_url.url"),
    ({"messages": with_url("data:image/png;base64,AAAA")}, 400, "image_url.url"),
    ({"messages": with_url("data:image/gif;base64,AAAA")}, 400, "image_url.url"),
]


@pytest.mark.parametrize(("changes", "status", "param"), REFUSED)
def test_refused_and_said_which_field(
    changes: dict[str, object], status: int, param: str | None, clip: Tensor, served: Serve
) -> None:
    running = served()
    reply = ask(running, changed(clip, **changes))
    assert reply.status == status
    assert reply.error["param"] == param
    assert reply.error["type"] == "invalid_request_error"
    stats = running.stats()
    assert (stats["received"], stats["paid"], sum(stats["refused"].values())) == (1, 0, 1)


@pytest.mark.parametrize("sent", [b"{", b"[]", b"\xff"])
def test_no_json_is_refused(sent: bytes, served: Serve) -> None:
    reply = ask(served(), sent)
    assert (reply.status, reply.error["param"]) == (400, "body")


def test_a_picture_of_another_type_than_declared_is_refused(clip: Tensor, served: Serve) -> None:
    url = data_uri(clip[0], "png").replace("image/png", "image/webp")
    reply = ask(served(), changed(clip, messages=with_url(url)))
    assert (reply.status, reply.error["param"]) == (400, "image_url.url")


def test_frames_of_two_sizes_are_refused(clip: Tensor, served: Serve) -> None:
    sent = fields(clip)
    sent["messages"][0]["content"][1]["image_url"]["url"] = data_uri(clip[0, :, :4])
    reply = ask(served(), json.dumps(sent).encode())
    assert reply.status == 400
    assert "frames of one size" in reply.error["message"]


def test_a_question_is_needed(clip: Tensor, served: Serve) -> None:
    sent = fields(clip)
    del sent["messages"][0]["content"][0]
    assert ask(served(), json.dumps(sent).encode()).status == 400


def test_too_many_images_are_refused(clip: Tensor, served: Serve) -> None:
    reply = ask(served(max_images=1), body(clip))
    assert reply.status == 400
    assert "1 to 1 images; found 2" in reply.error["message"]


def test_too_large_requests_are_refused(served: Serve) -> None:
    running = served(max_body_mib=1)
    reply = ask(running, b" " * (2**20 + 1))
    assert (reply.status, reply.error["code"]) == (413, "request_too_large")
    assert running.stats()["refused"] == {"request_too_large": 1}


def test_a_key_is_asked_for(clip: Tensor, served: Serve) -> None:
    running = served(api_key="sk-right")
    for headers in ({}, {"Authorization": "Bearer sk-wrong"}, {"Authorization": "sk-right"}):
        for reply in (
            ask(running, body(clip), headers=headers),
            get(running, "/v1/models", headers=headers),
        ):
            assert (reply.status, reply.error["code"]) == (401, "invalid_api_key")
            assert b"sk-" not in reply.data
    right = {"Authorization": "Bearer sk-right"}
    assert ask(running, body(clip), headers=right).status == 200
    assert get(running, "/v1/models", headers=right).status == 200
    assert "sk-right" not in repr(running.options)
