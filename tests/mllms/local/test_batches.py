"""Batches that shrink when memory runs out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from blackbox_anon.mllms import HuggingFaceMLLM
from blackbox_anon.mllms.local import FittingBatches
from tests.mllms.local.references import ask


def holding(most: int, tried: list[int]) -> Callable[[slice], list[int]]:
    """A device that holds ``most`` rows."""

    def answer(rows: slice) -> list[int]:
        tried.append(rows.stop - rows.start)
        if tried[-1] > most:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return list(range(rows.start, rows.stop))

    return answer


def test_one_batch_where_memory_allows() -> None:
    tried: list[int] = []
    assert FittingBatches(16).run(16, holding(16, tried)) == list(range(16))
    assert tried == [16]


def test_halves_once_and_remembers() -> None:
    tried: list[int] = []
    batches = FittingBatches(16)
    with pytest.warns(UserWarning, match="out of CUDA memory with 12 clips.*set `batch_size` to 6"):
        assert batches.run(12, holding(6, tried)) == list(range(12))
    assert tried == [12, 6, 6]
    assert batches.run(13, holding(6, tried)) == list(range(13))  # no warning, no attempt
    assert tried[3:] == [6, 6, 1]


def test_one_row_that_does_not_fit() -> None:
    tried: list[int] = []
    with (
        pytest.warns(UserWarning, match="from now on"),
        pytest.raises(torch.cuda.OutOfMemoryError),
    ):
        FittingBatches(4).run(4, holding(0, tried))
    assert tried == [4, 2, 1]


def test_other_errors_pass() -> None:
    def answer(rows: slice) -> list[int]:
        raise RuntimeError(str(rows))

    with pytest.raises(RuntimeError, match="slice"):
        FittingBatches(4).run(4, answer)


def test_a_model_that_runs_out_of_memory(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answers are those of a model with room enough."""
    frames = torch.randint(0, 256, (5, 2, 3, 28, 28), dtype=torch.uint8)
    mllm = HuggingFaceMLLM(str(tiny_folder), device="cpu")
    expected = ask(mllm, frames, ["?"] * 5)
    assert mllm._loaded is not None
    generate, tried = mllm._loaded.model.generate, []

    def cramped(**inputs: Any) -> Any:  # noqa: ANN401  # the model's own
        tried.append(len(inputs["input_ids"]))
        if tried[-1] > 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return generate(**inputs)

    monkeypatch.setattr(mllm._loaded.model, "generate", cramped)
    with pytest.warns(UserWarning, match="out of CUDA memory with 5 clips"):
        found = ask(mllm, frames, ["?"] * 5)
    assert tried == [5, 2, 2, 1]
    for one, other in zip(found, expected, strict=True):
        assert one[0] == other[0]
        assert one[1] == pytest.approx(other[1], abs=1e-5)
