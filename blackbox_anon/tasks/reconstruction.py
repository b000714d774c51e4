"""Stage 0: initialize an anonymizer so that it returns what it is given."""

from lightning.pytorch import LightningModule
from lightning.pytorch.cli import OptimizerCallable
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.nn import functional
from torch.optim import Adam
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR
from typing_extensions import override

from blackbox_anon.anonymizers import UNetAnonymizer
from blackbox_anon.types import PairBatch, UtilityBatch


class ReconstructionTask(LightningModule):
    """Trains all of an anonymizer, encoder included, to reproduce its input (L1, in pixels).

    It reads the same data as the black-box tasks and uses the frames of both batches. Its
    checkpoint is given to :class:`~blackbox_anon.anonymizers.UNetAnonymizer` as ``weights``.

    Args:
        anonymizer: What is initialized.
        optimizer: Its ``lr`` is the peak of a one-cycle schedule over the run.

    Reference:
        Appendix E, following SPAct (Dave et al., CVPR 2022): L1, Adam 1e-3 with warm-up.
    """

    def __init__(
        self,
        anonymizer: UNetAnonymizer,
        *,
        optimizer: OptimizerCallable = lambda p: Adam(p, lr=1e-3),
    ) -> None:
        super().__init__()
        self.anonymizer = anonymizer.freeze_encoder(frozen=False)
        self.optimizer = optimizer

    @override
    def forward(self, frames: Tensor) -> Tensor:
        reconstructed: Tensor = self.anonymizer(frames)
        return reconstructed

    @override
    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimizer = self.optimizer(self.anonymizer.parameters())
        steps = int(self.trainer.estimated_stepping_batches)
        schedule: LRScheduler = OneCycleLR(optimizer, optimizer.param_groups[0]["lr"], steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    @override
    def training_step(self, batch: PairBatch, batch_idx: int) -> Tensor:
        losses = [self._loss(part["frames"]) for part in (batch["utility"], batch["privacy"])]
        loss = sum(losses[1:], losses[0]) / len(losses)
        self.log("train/reconstruction", loss.detach(), prog_bar=True)
        return loss

    @override
    def validation_step(self, batch: UtilityBatch, batch_idx: int, dataloader_idx: int = 0) -> None:
        self._log_loss(batch, "val")

    @override
    def test_step(self, batch: UtilityBatch, batch_idx: int, dataloader_idx: int = 0) -> None:
        self._log_loss(batch, "test")

    @override
    def predict_step(
        self, batch: UtilityBatch, batch_idx: int, dataloader_idx: int = 0
    ) -> dict[str, object]:
        return {"frames": self(batch["frames"]), "name": batch["name"]}

    def _loss(self, frames: Tensor) -> Tensor:
        return functional.l1_loss(self(frames), frames)

    def _log_loss(self, batch: UtilityBatch, stage: str) -> None:
        loss = self._loss(batch["frames"])
        size = len(batch["frames"])
        self.log(f"{stage}/reconstruction", loss, prog_bar=True, sync_dist=True, batch_size=size)
