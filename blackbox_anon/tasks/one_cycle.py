"""One optimizer over a whole run, its rate up and down once."""

from lightning.pytorch import Trainer
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR


def one_cycle(optimizer: Optimizer, trainer: Trainer) -> OptimizerLRSchedulerConfig:
    """Return what ``configure_optimizers`` does: the optimizer's ``lr`` is the peak of the run."""
    steps = int(trainer.estimated_stepping_batches)
    schedule: LRScheduler = OneCycleLR(optimizer, optimizer.param_groups[0]["lr"], steps)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
