"""Services over a fast model, and one over the shipped one."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import torch
from torch import Tensor

from blackbox_anon.mllms import AbstractMLLM, HuggingFaceMLLM
from blackbox_anon.server import Running, ServiceOptions, serve
from tests.mllms_fakes import LinearMLLM

Serve = Callable[..., Running]


@pytest.fixture(scope="session")
def peopleworld() -> AbstractMLLM:
    return HuggingFaceMLLM(
        "peopleworld", dtype="float32", max_new_tokens=2, batch_size=1, num_logprobs=62
    )


@pytest.fixture
def served() -> Iterator[Serve]:
    """Start services that stop with the test; over a model that tells brightness from darkness."""
    with ExitStack() as stack:

        def start(mllm: AbstractMLLM | None = None, **options: object) -> Running:
            mllm = mllm or LinearMLLM(["walk", "run", "pick up"], [0.0, 4.0, 8.0])
            return stack.enter_context(serve(mllm, ServiceOptions(**options)))  # type: ignore[arg-type]  # a test's own

        yield start


@pytest.fixture
def clip() -> Tensor:
    return torch.randint(256, (2, 3, 8, 6), dtype=torch.uint8)
