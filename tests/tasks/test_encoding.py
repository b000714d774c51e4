"""Features that are made before their turn are those of the frames, or are not used."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from typing_extensions import override

from blackbox_anon.anonymizers import UNetAnonymizer
from blackbox_anon.datamodules import EpochSampler, ResumableLoader, read_ahead
from blackbox_anon.mllms import Answer
from blackbox_anon.tasks.encoding import FeaturesAhead, encoded
from tests.tasks.parts import make_data, make_task, make_trainer
from tests.tasks.services import LinearService

CPU = torch.device("cpu")


class CountingAnonymizer(UNetAnonymizer):
    """Remembers how many frames it encoded at a time."""

    def __init__(self) -> None:
        super().__init__("resnet18", depth=2, width=4)
        self.counts: list[int] = []

    @override
    def features(self, frames: Tensor) -> list[Tensor]:
        self.counts.append(len(frames))
        return super().features(frames)


class Numbers(Dataset[int]):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> int:
        return index


def batches(frames: Tensor) -> dict[str, dict[str, Tensor]]:
    return {"utility": {"frames": frames}, "privacy": {"frames": torch.zeros(1)}}


def equal(found: Sequence[Tensor], expected: Sequence[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_prepared_features_are_used_once() -> None:
    anonymizer, frames = CountingAnonymizer(), torch.rand(3, 2, 3, 16, 16)
    ahead = FeaturesAhead(anonymizer)
    for _ in range(2):
        ahead.prepare(batches(frames), CPU, 2)  # twice is once
    assert equal(ahead(frames[:2].clone()), encoded(anonymizer, frames[:2]))
    assert anonymizer.counts == [2, 2]
    ahead(frames[:2])
    assert anonymizer.counts == [2, 2, 2]


@pytest.mark.parametrize("change", ["values", "count", "dtype"])
def test_other_frames_are_encoded_anew(change: str) -> None:
    anonymizer, frames = CountingAnonymizer(), torch.rand(3, 2, 3, 16, 16)
    ahead, prepared = FeaturesAhead(anonymizer), frames.half() if change == "dtype" else frames
    with torch.autocast("cpu", enabled=change == "dtype"):
        ahead.prepare(batches(prepared), CPU, 2)
    asked = {"values": 1 - frames[:2], "count": frames, "dtype": frames[:2]}[change]
    assert equal(ahead(asked), encoded(anonymizer, asked))
    assert len(anonymizer.counts) == 3


def test_what_is_never_wanted_is_no_longer_made() -> None:
    anonymizer = CountingAnonymizer()
    ahead = FeaturesAhead(anonymizer)
    for _ in range(9):
        ahead.prepare(batches(torch.rand(3, 2, 3, 16, 16)), CPU, 2)
        ahead(torch.rand(1, 2, 3, 16, 16))
    assert anonymizer.counts == 3 * [2, 1] + 6 * [1]


def test_all_samples_may_be_first() -> None:
    anonymizer, frames = CountingAnonymizer(), torch.rand(3, 2, 3, 16, 16)
    ahead = FeaturesAhead(anonymizer)
    ahead.prepare(batches(frames), CPU, None)
    ahead(frames)
    assert anonymizer.counts == [3]


@pytest.mark.parametrize("found", [None, [1], {"utility": None}, {"utility": {"frames": "none"}}])
def test_what_is_no_batch_is_left_alone(found: object) -> None:
    anonymizer = CountingAnonymizer()
    FeaturesAhead(anonymizer).prepare(found, CPU, 2)
    assert not anonymizer.counts


def test_nothing_is_made_ahead_for_another_device() -> None:
    anonymizer = CountingAnonymizer()
    FeaturesAhead(anonymizer).prepare(batches(torch.rand(3, 2, 3, 16, 16)), torch.device("cuda"), 2)
    assert not anonymizer.counts


def test_loaders_give_what_they_read_and_give_it_still() -> None:
    loader = ResumableLoader(Numbers(), batch_size=2, sampler=EpochSampler(4))
    left = iter(loader)
    next(left)
    found = read_ahead({"utility": loader, "privacy": DataLoader(Numbers())})
    assert isinstance(found, dict)
    assert found["privacy"] is None
    assert torch.equal(next(left), found["utility"])


def test_nothing_is_encoded_between_answers_and_the_next_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, anonymizer = LinearService(), CountingAnonymizer()
    query, between, depth, left = service.query, list[int](), 0, 0

    def watched(*args: Any, **kwargs: Any) -> list[Answer]:  # noqa: ANN401  # passes through
        nonlocal depth, left
        if depth == 0:
            between.append(sum(anonymizer.counts) - left)
        depth += 1
        try:
            return query(*args, **kwargs)
        finally:
            depth -= 1
            left = sum(anonymizer.counts)

    monkeypatch.setattr(service, "query", watched)
    make_trainer(tmp_path).fit(make_task(service, anonymizer=anonymizer), make_data())
    assert between == [1, 0, 0]  # nobody was asked before the first step
