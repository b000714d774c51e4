"""What data modules do about files that cannot be read."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule, Trainer
from typing_extensions import override

from blackbox_anon.datamodules.unreadable import UnreadableLog


class AbstractCountingDataModule(LightningDataModule, ABC):
    """Counts unreadable files, lists them beside the run, and knows them after a resume.

    Args:
        max_unreadable: Different files that may fail before the run is stopped.
    """

    def __init__(self, max_unreadable: int) -> None:
        super().__init__()
        self.unreadable = UnreadableLog(max_unreadable)

    @abstractmethod
    @override
    def train_dataloader(self) -> Any:
        """What is trained on."""

    @override
    def state_dict(self) -> dict[str, Any]:
        """The unreadable files so far."""
        return self.unreadable.state_dict()

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Count on from a checkpoint's.

        Args:
            state_dict: What :meth:`state_dict` returned.
        """
        self.unreadable.load_state_dict(state_dict)

    @override
    def on_before_batch_transfer(
        self, batch: dict[str, Any], dataloader_idx: int
    ) -> dict[str, Any]:
        """Count unreadable files; the step sees batches without them.

        Args:
            batch: As the loader gives it.
            dataloader_idx: Index of the loader.

        Returns:
            The batch without the key ``unreadable``.
        """
        return self.unreadable.collect(batch, file=_listed_in(self.trainer))


def _listed_in(trainer: Trainer | None) -> Path | None:
    """Where a run lists what it could not read, one file per rank."""
    if trainer is None:
        return None
    rank = trainer.global_rank
    name = "unreadable.txt" if rank == 0 else f"unreadable_rank{rank}.txt"
    return Path(trainer.default_root_dir) / name  # log_dir would wait for all ranks
