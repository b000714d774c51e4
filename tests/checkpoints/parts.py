"""A run of milliseconds in which everything matters: data order, noise, optimizers, validation."""

import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import CombinedLoader
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.utils.data import DataLoader

from blackbox_anon.callbacks import HistoryRecorder
from blackbox_anon.checkpoints import AtomicCheckpointIO, ExactResume
from blackbox_anon.datamodules import EpochSampler, ResumableLoader

Seen = tuple[str, int, list[int]]


class Walk(LightningModule):
    """Two parties and two optimizers; each step depends on the data and on every generator."""

    steps: Tensor
    validated: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.first, self.second = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.register_buffer("validated", torch.zeros(()))
        self.scalars: dict[str, Tensor] = {}
        self.seen: list[Seen] = []

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        return [
            torch.optim.Adam([self.first], lr=0.1),
            torch.optim.SGD([self.second], lr=0.1, momentum=0.9),
        ]

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.seen.append(("train", batch_idx, [*batch["a"].tolist(), *batch["b"].tolist()]))
        noise = torch.rand(2) + random.random() + float(np.random.rand())  # noqa: NPY002  # the global one
        data = batch["a"].float().mean() - 3 * batch["b"].float().mean()
        for parameter, optimizer in zip(self.parameters(), self.optimizers(), strict=True):
            optimizer.zero_grad()
            self.manual_backward(((parameter * noise - data) ** 2).sum().sqrt())
            optimizer.step()
        self.steps += 1
        self.scalars = {"train/first": self.first.detach().sum(), "train/step": self.steps}
        self.log("train/second", self.second.detach().sum())

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self.seen.append(("val", batch_idx, batch.tolist()))
        self.validated = self.validated + self.first.detach().sum() * batch.sum()
        self.log("val/first", self.first.detach().sum(), batch_size=len(batch))


class AutomaticWalk(Walk):
    """The same with Lightning's own optimization and a schedule over the run."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = True

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:  # type: ignore[override]  # Lightning's
        optimizer = torch.optim.Adam(self.parameters(), lr=0.1)
        total = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:  # type: ignore[override]  # the same
        self.seen.append(("train", batch_idx, batch["a"].tolist()))
        self.steps += 1
        return ((self.first * torch.rand(2) - self.second + batch["b"].float()) ** 2).sum()


class Stop(Exception):  # noqa: N818  # the death of the process, without the process
    """Ends a run as a kill would."""


class StopIn(Callback):
    """Does something in the middle of a step, between its two optimizers: ends the run.

    Args:
        step: Which.
        number: Signal to send instead.
    """

    def __init__(self, step: int, number: int | None = None) -> None:
        self.step, self.number = step, number
        self._optimizers = 0

    def on_train_batch_start(self, *_: object) -> None:
        self._optimizers = 0

    def on_before_optimizer_step(self, trainer: Trainer, *_: object) -> None:
        self._optimizers += 1
        whole = trainer.lightning_module.automatic_optimization or self._optimizers == 2
        if trainer.fit_loop.total_batch_idx + 1 == self.step and whole:
            if self.number is None:
                raise Stop
            os.kill(os.getpid(), self.number)


class StopAsPlanned(StopIn):
    """The same for a config that must stay as it is: a test says when."""

    plan: ClassVar[tuple[int, int | None]] = (-1, None)

    def __init__(self) -> None:
        super().__init__(*self.plan)


def make_trainer(folder: Path, *callbacks: Callback, **settings: Any) -> Trainer:  # noqa: ANN401  # the trainer's own
    defaults: dict[str, Any] = {
        "max_epochs": 3,
        "num_sanity_val_steps": 0,
        "log_every_n_steps": 1,
        "enable_progress_bar": False,
    }
    saver = ModelCheckpoint(every_n_epochs=1, enable_version_counter=False)
    return Trainer(
        default_root_dir=folder,
        accelerator="cpu",
        logger=TensorBoardLogger(folder, name="run"),
        callbacks=[*callbacks, HistoryRecorder(), saver],
        plugins=[AtomicCheckpointIO()],
        enable_model_summary=False,
        **{**defaults, **settings},
    )


def make_loaders(workers: int = 0) -> CombinedLoader:
    """Five batches of ``a`` and two of ``b``, which starts over."""

    def loader(length: int, stream: int) -> ResumableLoader:
        return ResumableLoader(
            range(length),  # type: ignore[arg-type]  # serves as a data set
            batch_size=2,
            sampler=EpochSampler(length, stream=stream),
            num_workers=workers,
            persistent_workers=workers > 0,
        )

    return CombinedLoader({"a": loader(10, 0), "b": loader(4, 1)}, "max_size_cycle")


def run(
    folder: Path,
    *,
    stop: StopIn | None = None,
    kind: type[Walk] = Walk,
    every: int = 2,
    workers: int = 0,
    more: Sequence[Callback] = (),
    ckpt_path: str | None = None,
    **settings: Any,  # noqa: ANN401  # the trainer's own
) -> Walk:
    """Begin or continue the run in ``folder``."""
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  # the global one
    walk = kind()
    resume = ExactResume(every_n_steps=every)
    stops = [] if stop is None else [stop]
    trainer = make_trainer(folder, *stops, resume, *more, **settings)
    start = resume.begin(trainer) or ckpt_path
    trainer.fit(walk, make_loaders(workers), DataLoader(range(3)), ckpt_path=start)  # type: ignore[arg-type]  # serves
    return walk
