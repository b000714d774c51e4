"""Stage 0: initialize an anonymizer so that it returns what it is given."""

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import OptimizerCallable
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Adam
from typing_extensions import override

from blackbox_anon.anonymizers import UNetAnonymizer
from blackbox_anon.arguments import require
from blackbox_anon.reviewers.evidence import AttributeEvidence
from blackbox_anon.tasks.one_cycle import one_cycle
from blackbox_anon.types import PairBatch, PrivacyBatch, UtilityBatch


class ReconstructionTask(LightningModule):
    """Trains all of an anonymizer, encoder included, to reproduce its input (L1, in pixels).

    It reads the same data as the black-box tasks and uses the frames of both batches. Its
    checkpoint is given to :class:`~blackbox_anon.anonymizers.UNetAnonymizer` as ``weights``.

    An encoder that was pretrained on photographs tells a face from a wall; one that starts from
    nothing and only ever reconstructs need not. With ``attribute_weight`` it is taught that too:
    every level of its features has to tell the privacy batch's attributes, through a linear map of
    each place and a soft maximum over places (:class:`AttributeEvidence`), which are thrown away
    afterwards.

    Args:
        anonymizer: What is initialized.
        num_attributes: Number of attributes ``A`` of the privacy batch.
        attribute_weight: First weight of the attributes' cross-entropy (in nats, mean over levels)
            beside the reconstruction (in pixels); it falls to 0 in a line, so that the last steps
            reconstruct. 0, the paper, leaves it out.
        optimizer: Its ``lr`` is the peak of a one-cycle schedule over the run.

    Raises:
        ValueError: If an argument is out of its range.

    Reference:
        Appendix E, following SPAct (Dave et al., CVPR 2022): L1, Adam 1e-3 with warm-up. Evidence
        by place: Pinheiro and Collobert, CVPR 2015.
    """

    def __init__(
        self,
        anonymizer: UNetAnonymizer,
        *,
        num_attributes: int = 7,
        attribute_weight: float = 0.0,
        optimizer: OptimizerCallable = lambda p: Adam(p, lr=1e-3),
    ) -> None:
        super().__init__()
        require(
            num_attributes=(num_attributes, num_attributes > 0, "positive"),
            attribute_weight=(attribute_weight, attribute_weight >= 0, "0 or more"),
        )
        self.anonymizer = anonymizer.freeze_encoder(frozen=False)
        self.attribute_weight = attribute_weight
        levels = anonymizer.feature_channels if attribute_weight else ()
        self.evidence = nn.ModuleList(AttributeEvidence(c, num_attributes) for c in levels)
        self.optimizer = optimizer

    @override
    def forward(self, frames: Tensor) -> Tensor:
        reconstructed: Tensor = self.anonymizer(frames)
        return reconstructed

    @override
    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        parameters = [*self.anonymizer.parameters(), *self.evidence.parameters()]
        return one_cycle(self.optimizer(parameters), self.trainer)

    @override
    def training_step(self, batch: PairBatch, batch_idx: int) -> Tensor:
        losses = [self._loss(part["frames"]) for part in (batch["utility"], batch["privacy"])]
        loss = sum(losses[1:], losses[0]) / len(losses)
        self.log("train/reconstruction", loss.detach(), prog_bar=True)
        if self.attribute_weight:
            told = self.attribute_loss(batch["privacy"])
            self.log("train/attributes", told.detach(), prog_bar=True)
            loss = loss + self.attribute_weight * self._rest_of_run() * told
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

    def _rest_of_run(self) -> float:
        """Return the share of the run that is still to come."""
        return 1 - self.trainer.global_step / max(1, int(self.trainer.estimated_stepping_batches))

    def attribute_loss(self, batch: PrivacyBatch) -> Tensor:
        """Return the attributes' cross-entropy in nats: a scalar, the mean over levels."""
        frames, attributes = batch["frames"], batch["attributes"]
        if frames.ndim == 5:  # clips: every frame is an image
            attributes = attributes.repeat_interleave(frames.shape[1], 0)
        levels = self.anonymizer.features(frames)
        losses = [
            functional.binary_cross_entropy_with_logits(told(level), attributes)
            for told, level in zip(self.evidence, levels, strict=True)
        ]
        return torch.stack(losses).mean()

    def _loss(self, frames: Tensor) -> Tensor:
        return functional.l1_loss(self(frames), frames)

    def _log_loss(self, batch: UtilityBatch, stage: str) -> None:
        loss = self._loss(batch["frames"])
        size = len(batch["frames"])
        self.log(f"{stage}/reconstruction", loss, prog_bar=True, sync_dist=True, batch_size=size)
