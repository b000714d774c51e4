"""Go on from the mean of the last iterates."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from typing_extensions import override

from blackbox_anon.arguments import require
from blackbox_anon.errors import BlackboxAnonError
from blackbox_anon.tasks import BlackBoxAnonymization
from blackbox_anon.tasks import parameters as flat


class Lookahead(Callback):
    """Every few steps, go on from the mean of the iterates since the last time.

    The steps of a noisy estimate wander; their mean is nearer to where they are heading, and the
    run goes on from there, so that what noise costs in utility does not add up. The optimizer's
    state stays. A batch that the task gave up adds no iterate.

    Args:
        every: Iterates per mean, at least 1; 1 changes nothing.

    Raises:
        ValueError: If ``every`` is out of its range.

    Reference:
        Zhang, Lucas, Hinton and Ba, "Lookahead Optimizer: k steps forward, 1 step back",
        NeurIPS 2019; the mean of the ``k`` iterates takes the place of a share of the last one.
    """

    def __init__(self, every: int = 25) -> None:
        require(every=(every, every >= 1, "1 or more"))
        self.every = every
        self.total: Tensor | None = None
        self.count = 0

    @override
    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,  # Lightning's signature
    ) -> None:
        if not isinstance(pl_module, BlackBoxAnonymization):
            msg = f"Lookahead needs a BlackBoxAnonymization task; found {type(pl_module).__name__}"
            raise BlackboxAnonError(msg)
        if pl_module.skipped:
            return
        theta = flat.flatten(pl_module.trained)
        self.total = theta if self.total is None else self.total.to(theta) + theta
        self.count += 1
        if self.count == self.every:
            flat.assign(pl_module.trained, self.total / self.count)
            self.total, self.count = None, 0

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"total": self.total, "count": self.count}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.total, self.count = state_dict["total"], state_dict["count"]
