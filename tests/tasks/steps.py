"""Runs that keep what every step began with, combined and left."""

import copy
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn

from blackbox_anon.scalarizations import Scalarized
from blackbox_anon.tasks import ActionRecognition
from blackbox_anon.tasks.parameters import flatten
from blackbox_anon.types import PairBatch
from tests.tasks.parts import make_data, make_trainer


class Steps(Callback):
    """What every step began with, handed to the scalarization, and left."""

    def __init__(self, task: ActionRecognition) -> None:
        self.before: list[Tensor] = []
        self.after: list[Tensor] = []
        self.combined: list[tuple[Tensor, Tensor, Scalarized]] = []
        self.privacy_gradients: list[Tensor] = []
        self.logs: list[dict[str, float]] = []
        self.task = task
        task.scalarization.register_forward_hook(self._combine)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: PairBatch, batch_idx: int
    ) -> None:
        del trainer, pl_module, batch_idx
        self.frames = batch["privacy"]["frames"]
        self.before.append(flatten(self.task.trained))

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: PairBatch,
        batch_idx: int,
    ) -> None:
        del trainer, pl_module, outputs, batch, batch_idx
        self.after.append(flatten(self.task.trained))
        self.logs.append({k: float(v) for k, v in self.task.scalars.items()})

    def _combine(self, _: nn.Module, args: tuple[Tensor, Tensor], out: Scalarized) -> None:
        self.combined.append((args[0].clone(), args[1].clone(), out))
        task = self.task
        anonymizer, reviewer = copy.deepcopy((task.anonymizer, task.reviewer))
        trained = list(anonymizer.trained.parameters())
        loss = reviewer.privacy_loss(anonymizer(self.frames))
        self.privacy_gradients.append(flatten(torch.autograd.grad(loss, trained)))


def fit(task: ActionRecognition, folder: Path, **kwargs: Any) -> Steps:  # noqa: ANN401  # the trainer's own
    steps = Steps(task)
    make_trainer(folder, callbacks=[steps], **kwargs).fit(task, make_data())
    return steps
