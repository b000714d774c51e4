"""Go on from the mean of the last iterates."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from typing_extensions import override

from blackbox_anon.arguments import require
from blackbox_anon.callbacks.iterate_mean import IterateMean
from blackbox_anon.tasks import parameters as flat


class Lookahead(IterateMean):
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
        super().__init__()
        self.every = every

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
        self.take_in(task)
        if self.mean is not None and self.count == self.every:
            flat.assign(task.trained, self.mean)
            self.mean, self.count = None, 0
