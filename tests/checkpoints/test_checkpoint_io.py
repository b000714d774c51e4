"""A checkpoint is there as a whole or not at all."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.plugins import TorchCheckpointIO

from blackbox_anon.checkpoints import AtomicCheckpointIO, check_whole, use_atomic_checkpoints
from blackbox_anon.checkpoints.atomic import remove_leftovers, write_atomically
from blackbox_anon.errors import CheckpointError


@dataclass
class Surprise:
    value: int


class Died(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("point", ["fsync", "replace"])
def test_a_write_that_dies_leaves_the_file_as_it_was(
    point: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.ckpt"
    AtomicCheckpointIO().save_checkpoint({"value": torch.zeros(2)}, path)
    before = path.read_bytes()

    def die(*_: object) -> None:
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(*{"fsync": (os, "fsync"), "replace": (Path, "replace")}[point], die)
        with pytest.raises(Died):
            AtomicCheckpointIO().save_checkpoint({"value": torch.ones(2)}, path)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2
    AtomicCheckpointIO().save_checkpoint({"value": torch.ones(2)}, tmp_path / "y.ckpt")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.ckpt", "y.ckpt"]


def test_what_was_read_back_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose_the_end(descriptor: int) -> None:
        os.ftruncate(descriptor, 3)

    monkeypatch.setattr(os, "fsync", lose_the_end)
    with pytest.raises(CheckpointError, match=r"x\.bin was written, but something else"):
        write_atomically(tmp_path / "x.bin", b"content")
    assert not (tmp_path / "x.bin").exists()


def test_only_leftovers_are_removed(tmp_path: Path) -> None:
    for name in (".a.ckpt.partial", "b.ckpt", "c.partial"):
        (tmp_path / name).touch()
    assert [path.name for path in remove_leftovers(tmp_path)] == [".a.ckpt.partial"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b.ckpt", "c.partial"]


def test_what_could_not_be_loaded_again_is_refused_when_it_is_saved(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"x\.ckpt must hold tensors and plain .*Surprise"):
        AtomicCheckpointIO().save_checkpoint({"value": Surprise(1)}, tmp_path / "x.ckpt")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("length", [0, 1, 100, -30, -1])
def test_truncated_is_noticed(length: int, tmp_path: Path) -> None:
    path = tmp_path / "x.ckpt"
    AtomicCheckpointIO().save_checkpoint({"value": torch.arange(1000)}, path)
    check_whole(path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(CheckpointError, match=r"x\.ckpt is truncated or corrupt"):
        AtomicCheckpointIO().load_checkpoint(path)


def test_every_trainer_writes_so_unless_another_way_was_chosen() -> None:
    class Other(TorchCheckpointIO):
        """Somebody's own."""

    def after(*plugins: TorchCheckpointIO) -> Trainer:
        trainer = Trainer(accelerator="cpu", logger=False, plugins=list(plugins))
        use_atomic_checkpoints(trainer)
        return trainer

    assert type(after().strategy.checkpoint_io) is AtomicCheckpointIO
    assert type(after(Other()).strategy.checkpoint_io) is Other
