"""Show scalars in the progress bar and hand them to the loggers, each once a step."""

from collections.abc import Collection, Mapping

from lightning.pytorch import LightningModule
from torch import Tensor


def show(task: LightningModule, scalars: Mapping[str, Tensor], names: Collection[str]) -> None:
    """Show those of a task's scalars that have one of these names in the progress bar.

    Callbacks find them too, as ``trainer.callback_metrics``. ``task.log`` takes 0.5 ms a name, for
    averages over epochs that nobody asks of these.
    """
    shown = {name: value.detach() for name, value in scalars.items() if name in names}
    task.trainer.callback_metrics.update(shown)
    task.trainer.progress_bar_metrics.update({name: float(v) for name, v in shown.items()})


def write(task: LightningModule, scalars: Mapping[str, Tensor], *, step: int, queries: int) -> None:
    """Hand a step's scalars to the loggers, every ``log_every_n_steps`` steps.

    Args:
        task: Whose step it was.
        scalars: All to write, by name.
        step: Number of the step.
        queries: The x axis of what is drawn.
    """
    if step % task.trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]  # by a connector
        values = {name: float(value) for name, value in scalars.items()}
        for logger in task.loggers:
            logger.log_metrics(values, step=queries)
