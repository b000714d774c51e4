"""A callback that keeps what it sees."""

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from blackbox_anon.tasks.parameters import flatten


class Iterates(Callback):
    """Keeps the parameters after every batch, as they are where it stands among the callbacks."""

    def __init__(self) -> None:
        self.seen: list[Tensor] = []

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        del trainer, outputs, batch, batch_idx
        self.seen.append(flatten(pl_module.trained))  # type: ignore[arg-type]  # the task's list
