"""Show scalars in the progress bar and hand them to the loggers, each once a step."""

from collections.abc import Callable, Collection, Mapping

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


class Writer:
    """Writes what a step has to show, when there is time for it.

    Scalars are handed to the loggers, every ``log_every_n_steps`` steps.

    Args:
        task: Whose loggers.
        waits: Whether there will be time for it; else it is written at once.
    """

    def __init__(self, task: LightningModule, waits: Callable[[], bool]) -> None:
        self._task, self._waits = task, waits
        self._due: list[Callable[[], object]] = []

    def take(self, scalars: Mapping[str, Tensor], *, step: int, queries: int) -> None:
        """Take scalars that are handed over by :meth:`write`.

        Args:
            scalars: All to write, by name.
            step: Number of the step.
            queries: The x axis of what is drawn.
        """
        taken = dict(scalars)
        self.add(lambda: self._hand_over(taken, step, queries))

    def add(self, work: Callable[[], object]) -> None:
        """Take work that is done by :meth:`write`."""
        self._due.append(work)
        if not self._waits():
            self.write()

    def write(self) -> None:
        """Do what was taken and not yet done, in its order."""
        while self._due:
            self._due.pop(0)()

    def _hand_over(self, scalars: Mapping[str, Tensor], step: int, queries: int) -> None:
        if step % self._task.trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]  # by a connector
            values = {name: float(value) for name, value in scalars.items()}
            for logger in self._task.loggers:
                logger.log_metrics(values, step=queries)
