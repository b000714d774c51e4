import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities import CombinedLoader
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from blackbox_anon.datamodules import EpochSampler, ResumableLoader, read_ahead
from blackbox_anon.datamodules.read_ahead import ReadAhead


def order(length: int, seed: int, epoch: int, stream: int = 0) -> list[int]:
    sampler = EpochSampler(length, seed, stream=stream)
    sampler.set_epoch(epoch)
    return list(sampler)


def test_seed_stream_and_epoch_decide() -> None:
    settings = [(seed, epoch, stream) for seed in (0, 1) for epoch in (0, 1) for stream in (0, 1)]
    orders = {tuple(order(50, *setting)) for setting in settings}
    assert len(orders) == len(settings)  # (seed 0, epoch 1) is not (seed 1, epoch 0)
    assert all(sorted(o) == list(range(50)) for o in orders)
    torch.manual_seed(123)
    assert order(50, 0, 1) == order(50, 0, 1)


@pytest.mark.parametrize("world_size", [1, 2, 3])
@pytest.mark.parametrize("length", [3, 10, 12])
def test_ranks_share_an_epoch_equally(length: int, world_size: int) -> None:
    samplers = [EpochSampler(length, rank=r, world_size=world_size) for r in range(world_size)]
    parts = [list(sampler) for sampler in samplers]
    assert {len(part) for part in parts} == {length // world_size} == {len(s) for s in samplers}
    drawn = [i for part in parts for i in part]
    assert len(set(drawn)) == len(drawn)


def test_no_sample_is_dropped_in_every_epoch() -> None:
    sampler = EpochSampler(5, rank=0, world_size=2)
    other = EpochSampler(5, rank=1, world_size=2)
    seen = set()
    for epoch in range(8):
        sampler.set_epoch(epoch)
        other.set_epoch(epoch)
        seen |= {*sampler, *other}
    assert seen == set(range(5))


def test_lightning_takes_it_for_a_distributed_sampler_and_it_can_be_pickled() -> None:
    sampler = EpochSampler(9, seed=3)
    assert isinstance(sampler, DistributedSampler)
    assert list(pickle.loads(pickle.dumps(sampler))) == list(sampler)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="length"):
        EpochSampler(1, rank=0, world_size=2)
    with pytest.raises(ValueError, match="seed"):
        EpochSampler(4, seed=-1)
    with pytest.raises(ValueError, match="rank"):
        EpochSampler(4, rank=2, world_size=2)


def resumable(workers: int = 0) -> ResumableLoader:
    sampler = EpochSampler(7)
    return ResumableLoader(
        range(7),  # type: ignore[arg-type]  # serves as a data set
        batch_size=2,
        sampler=sampler,
        num_workers=workers,
    )


@pytest.mark.parametrize("given", range(5))
def test_a_pass_is_entered_where_it_was_left(given: int) -> None:
    whole = [batch.tolist() for batch in resumable()]
    left, again = resumable(workers=1), resumable()  # what was fetched ahead does not matter
    batches = iter(left)
    for _ in range(given):
        next(batches)
    again.load_state_dict(left.state_dict())
    assert [batch.tolist() for batch in again] == whole[given:]
    assert [batch.tolist() for batch in again] == whole  # once
    assert len(again) == len(whole) == 4


@pytest.mark.parametrize("workers", [0, 1])
def test_reading_ahead_changes_nothing_but_when(workers: int) -> None:
    read = list[int]()

    class Reads(Dataset[int]):
        def __len__(self) -> int:
            return 7

        def __getitem__(self, index: int) -> int:
            read.append(index)
            return index

    loader = ResumableLoader(Reads(), batch_size=2, sampler=EpochSampler(7), num_workers=workers)
    whole = [batch.tolist() for batch in resumable()]
    loader.read_ahead()  # no pass is under way
    for _ in range(2):  # what the last pass read does not count in the next
        batches = iter(loader)
        found = [next(batches).tolist()]
        read_ahead({"utility": loader, "privacy": [DataLoader(Reads()), loader]})  # twice is once
        if workers == 0:
            assert len(read) % 7 == 4
        assert loader.state_dict() == {"epoch": 0, "batches": 1}
        found += [batch.tolist() for batch in batches]
        loader.read_ahead()  # nothing is left
        assert found == whole


def test_what_goes_wrong_in_reading_ahead_is_raised_in_its_turn() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("unreadable")

    ahead = ReadAhead(items())
    ahead.read()
    assert next(ahead) == 1
    ahead.read()
    ahead.read()
    with pytest.raises(OSError, match="unreadable"):
        next(ahead)
    assert list(ahead) == []


def test_a_place_in_one_epoch_is_none_in_another() -> None:
    loader = resumable()
    loader.load_state_dict({"epoch": 0, "batches": 3})
    loader.sampler.set_epoch(1)  # type: ignore[attr-defined]  # an EpochSampler
    assert len(list(loader)) == 4


def test_an_epoch_that_is_set_after_the_iterator_was_made_counts() -> None:
    loader = resumable(workers=1)
    batches = iter(loader)
    loader.sampler.set_epoch(1)  # type: ignore[attr-defined]  # the same
    assert [i for batch in batches for i in batch.tolist()] == order(7, 0, 1)


def test_another_sampler_is_refused() -> None:
    with pytest.raises(TypeError, match="`sampler` must be an EpochSampler; found Sequential"):
        ResumableLoader(range(3)).state_dict()  # type: ignore[arg-type]  # a range


class Recorder(LightningModule):
    """Steps a parameter and keeps the order of the samples."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[tuple[int, list[int], list[int]]] = []

    def training_step(self, batch: dict[str, Tensor]) -> Tensor:
        self.seen.append((self.current_epoch, batch["a"].tolist(), batch["b"].tolist()))
        return self.weight

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(folder: Path, max_epochs: int, ckpt_path: Path | None = None) -> Recorder:
    model = Recorder()
    loaders = {
        "a": DataLoader(range(6), batch_size=2, sampler=EpochSampler(6, stream=0)),  # type: ignore[arg-type, var-annotated]  # a range serves as a dataset
        "b": DataLoader(range(4), batch_size=2, sampler=EpochSampler(4, stream=1)),  # type: ignore[arg-type]  # the same
    }
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=max_epochs,
        default_root_dir=folder,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[ModelCheckpoint(folder, filename="end", save_top_k=-1)],
    )
    trainer.fit(model, CombinedLoader(loaders, "max_size_cycle"), ckpt_path=ckpt_path)
    return model


def test_a_resumed_run_sees_the_order_of_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = fit(tmp_path / "whole", 3).seen
    assert [i for epoch, a, _ in whole if epoch == 1 for i in a] == order(6, 0, 1)
    assert [i for epoch, _, b in whole if epoch == 2 for i in b][:4] == order(4, 0, 2, stream=1)
    first = fit(tmp_path / "part", 1).seen
    rest = fit(tmp_path / "part", 3, tmp_path / "part" / "end.ckpt").seen
    assert first + rest == whole
