"""A client of a service, and what both speak about."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from aiohttp import web
from torch import Tensor

from blackbox_anon.mllms import AnonymizedFrames, Answer, OpenAICompatibleMLLM
from tests.mllms import stub_service
from tests.mllms_fakes import LinearMLLM

CANARY = "sk-canary-0123456789abcdefXYZ"
CLASSES = ["walk", "run", "pick up"]
MODEL = LinearMLLM(CLASSES, [0.0, 4.0, 8.0])
NOWHERE = "http://127.0.0.1:1/v1"
NEVER_S = 3600.0
"""Longer than any test."""


@contextmanager
def asking(base_url: str, **arguments: object) -> Iterator[OpenAICompatibleMLLM]:
    """A client of a service, with the canary key."""
    given = {"family": "openai", "timeout_s": NEVER_S, "api_key_env": "CANARY_KEY", **arguments}
    mllm = OpenAICompatibleMLLM("peopleworld", base_url=base_url, **given)  # type: ignore[arg-type]  # the test's
    try:
        yield mllm
    finally:
        mllm.close()


@contextmanager
def stub(reply: Callable[[web.Request], web.StreamResponse]) -> Iterator[str]:
    """A service that answers as it is told to."""
    with stub_service.serve(reply) as base_url:
        yield base_url


def clips(count: int = 1) -> Tensor:
    return torch.randint(0, 256, (count, 2, 3, 8, 6), dtype=torch.uint8)


def ask(mllm: OpenAICompatibleMLLM, count: int = 1) -> list[Answer]:
    return mllm.query(AnonymizedFrames(clips(count)), ["What?"] * count)
