"""End a run at the mean of its last iterates."""

import math
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from typing_extensions import override

from blackbox_anon.callbacks.iterate_mean import IterateMean
from blackbox_anon.errors import BlackboxAnonError
from blackbox_anon.tasks import BlackBoxAnonymization
from blackbox_anon.tasks import parameters as flat


class TailAverage(IterateMean):
    """Replace the trained parameters, after the last step, by their mean over the run's tail.

    Zeroth-order steps scatter around where they are heading, and the last one is no better than
    the fifty before it; their mean is (Polyak-Ruppert averaging, usual with SPSA: Spall,
    "Introduction to Stochastic Search and Optimization", 2003, Sec. 4.5.3). The paper does not
    average. The validation and the checkpoint at the end of the run see the mean; a run that is
    stopped early keeps its last iterate. A batch that the task gave up adds no iterate.

    Args:
        start: Share of the run after which iterates count, in ``[0, 1)``.

    Raises:
        ValueError: If ``start`` is out of its range.
    """

    def __init__(self, start: float = 0.7) -> None:
        if not 0 <= start < 1:
            msg = f"`start` must be in [0, 1); found {start}"
            raise ValueError(msg)
        super().__init__()
        self.start = start

    @override
    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,  # Lightning's signature
    ) -> None:
        task = self.checked(pl_module)
        done, total = _progress(trainer, task)
        if done <= self.start * total:
            return
        self.take_in(task)
        if done == total and self.mean is not None:
            flat.assign(task.trained, self.mean)


def _progress(trainer: Trainer, task: BlackBoxAnonymization) -> tuple[int, int]:
    """How far the run is, and where it ends: in batches, or in steps if these end it first.

    A batch is a step of ``1 + reviewer_steps`` optimizer steps, or none if it was given up.
    """
    steps, clocks = int(task.steps), []
    epochs = trainer.max_epochs if trainer.max_epochs is not None else -1
    if epochs > 0 and not math.isinf(trainer.num_training_batches):
        batches = int(epochs * trainer.num_training_batches)
        clocks.append((steps + int(task.skipped_steps), batches))
    if trainer.max_steps != -1:  # Lightning counts optimizer steps
        clocks.append((steps, math.ceil(trainer.max_steps / (1 + task.reviewer_steps))))
    if not clocks:
        msg = (
            "TailAverage must know where a run ends: it needs `max_steps`, or `max_epochs` and a "
            f"data set with a length; found max_epochs={trainer.max_epochs}, "
            f"{trainer.num_training_batches} batches an epoch"
        )
        raise BlackboxAnonError(msg)
    return max(clocks, key=lambda clock: clock[0] / clock[1])
