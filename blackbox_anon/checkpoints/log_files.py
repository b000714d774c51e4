"""Logs that grow with a run, and go back to a checkpoint with it."""

import os
from pathlib import Path

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

GROWING = ("history.jsonl", "events.out.tfevents.*")


def log_folder(trainer: Trainer) -> Path:
    """Return ``trainer.log_dir`` without asking the other processes, which may not run yet."""
    logger = trainer.logger
    if isinstance(logger, TensorBoardLogger | CSVLogger):
        return Path(logger.log_dir)
    saved = logger.save_dir if logger is not None else None
    return Path(saved or trainer.default_root_dir)


def log_sizes(folder: Path) -> dict[str, int]:
    """Bring a run's growing logs to the disk; return their lengths in bytes by name."""
    return {path.name: _synced_size(path) for path in _growing(folder)}


def cut_back(folder: Path, sizes: dict[str, int]) -> None:
    """Forget what was logged after a checkpoint; it will be logged again.

    Args:
        folder: The run's log folder.
        sizes: What :func:`log_sizes` found when the checkpoint was written; a growing log that is
            not among them is removed.
    """
    for path in _growing(folder):
        if path.name not in sizes:
            path.unlink()
        elif path.stat().st_size > sizes[path.name]:
            os.truncate(path, sizes[path.name])


def _growing(folder: Path) -> list[Path]:
    return sorted(path for pattern in GROWING for path in folder.glob(pattern))


def _synced_size(path: Path) -> int:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return os.fstat(file.fileno()).st_size
