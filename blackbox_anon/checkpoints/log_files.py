"""What a run leaves in its log folder on its way, and goes back to a checkpoint with it."""

import os
from pathlib import Path

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

GROWING = ("history.jsonl", "events.out.tfevents.*")
WHOLE = ("checkpoints/*.ckpt",)  # Lightning's; each is written at once


def log_folder(trainer: Trainer) -> Path:
    """Return ``trainer.log_dir`` without asking the other processes, which may not run yet."""
    logger = trainer.logger
    if isinstance(logger, TensorBoardLogger | CSVLogger):
        return Path(logger.log_dir)
    saved = logger.save_dir if logger is not None else None
    return Path(saved or trainer.default_root_dir)


def log_sizes(folder: Path) -> dict[str, int]:
    """Bring a run's growing logs to the disk; return all files' lengths in bytes by name."""
    return {name: _synced_size(path) for name, path in _found(folder, GROWING + WHOLE)}


def cut_back(folder: Path, sizes: dict[str, int]) -> None:
    """Forget what was left after a checkpoint; it will be left again.

    A file that stayed would be in its successor's way: Lightning gives that another name.

    Args:
        folder: The run's log folder.
        sizes: What :func:`log_sizes` found when the checkpoint was written; a file that is not
            among them is removed.
    """
    for name, path in _found(folder, GROWING + WHOLE):
        if name not in sizes:
            path.unlink()
    for name, path in _found(folder, GROWING):
        if path.stat().st_size > sizes[name]:
            os.truncate(path, sizes[name])


def _found(folder: Path, patterns: tuple[str, ...]) -> list[tuple[str, Path]]:
    found = (path for pattern in patterns for path in folder.glob(pattern))
    paths = sorted(path for path in found if path.is_file())
    return [(path.relative_to(folder).as_posix(), path) for path in paths]


def _synced_size(path: Path) -> int:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return os.fstat(file.fileno()).st_size
