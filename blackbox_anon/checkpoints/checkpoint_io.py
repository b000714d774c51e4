"""How checkpoints are written and read."""

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.plugins import TorchCheckpointIO
from typing_extensions import override

from blackbox_anon.checkpoints.atomic import remove_leftovers, write_atomically
from blackbox_anon.errors import CheckpointError


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's ``CheckpointIO`` for runs that may be killed at any instant.

    A checkpoint is written under a temporary name in its folder, brought to the disk, compared
    with what was meant, and renamed; what killed writes left in the folder is removed before. What
    is read is checked in full (every part's CRC-32; PyTorch checks none) and loaded without
    executing anything. Paths with a protocol (``s3://``) are left to Lightning.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> trainer = Trainer(plugins=[AtomicCheckpointIO()], logger=False)
    """

    def __init__(self) -> None:
        self._tidied: set[Path] = set()

    @override
    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: object = None
    ) -> None:
        if storage_options is not None or "://" in str(path):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        file = Path(path)
        if file.parent not in self._tidied:
            remove_leftovers(file.parent)
            self._tidied.add(file.parent)
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        _check_plain(buffer, file)
        write_atomically(file, buffer.getbuffer())

    @override
    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Callable[..., Any] | None = lambda storage, _: storage,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        if "://" in str(path):
            return super().load_checkpoint(path, map_location, weights_only)
        check_whole(Path(path))
        plain = weights_only is not False
        loaded: dict[str, Any] = torch.load(path, map_location=map_location, weights_only=plain)
        return loaded


def use_atomic_checkpoints(trainer: Trainer) -> None:
    """Let a trainer write by :class:`AtomicCheckpointIO`, unless another one was chosen."""
    if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
        trainer.strategy.checkpoint_io = AtomicCheckpointIO()


def check_whole(path: Path) -> None:
    """Read a checkpoint to its end and compare every part's checksum.

    Raises:
        CheckpointError: If the file is truncated or corrupt; the message names it.
        OSError: If it cannot be read at all.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError) as error:
        raise CheckpointError(f"checkpoint {path} is truncated or corrupt: {error}") from error
    if broken is not None:
        raise CheckpointError(f"checkpoint {path} is corrupt: its part {broken} has changed")


def _check_plain(buffer: io.BytesIO, path: Path) -> None:
    """Refuse what could not be loaded again; tensors' contents are not read for that."""
    buffer.seek(0)
    try:
        torch.load(buffer, map_location="meta", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).split("\n\n")[0].splitlines()[-1].strip()
        msg = f"checkpoint {path} must hold tensors and plain values only: {reason}"
        raise CheckpointError(msg) from error
