"""What callbacks that average a run's iterates share."""

from typing import Any

from lightning.pytorch import Callback, LightningModule
from torch import Tensor
from typing_extensions import override

from blackbox_anon.errors import BlackboxAnonError
from blackbox_anon.tasks import BlackBoxAnonymization
from blackbox_anon.tasks import parameters as flat


class IterateMean(Callback):
    """Keeps a mean of iterates, through checkpoints too; a subclass says which, and what for."""

    def __init__(self) -> None:
        self.mean: Tensor | None = None
        self.count = 0

    def checked(self, pl_module: LightningModule) -> BlackBoxAnonymization:
        """Return the task whose iterates these are, or refuse another one."""
        if not isinstance(pl_module, BlackBoxAnonymization):
            ours, theirs = type(self).__name__, type(pl_module).__name__
            raise BlackboxAnonError(f"{ours} needs a BlackBoxAnonymization task; found {theirs}")
        return pl_module

    def take_in(self, task: BlackBoxAnonymization) -> None:
        """Add the task's parameters to the mean, unless it gave its last batch up."""
        if task.skipped:
            return
        theta = flat.flatten(task.trained)
        self.count += 1
        mean = theta if self.mean is None else self.mean.to(theta)
        self.mean = mean + (theta - mean) / self.count

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"mean": self.mean, "count": self.count}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.mean, self.count = state_dict["mean"], state_dict["count"]
