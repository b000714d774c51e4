"""Before a run: a local model learns the task from raw clips, for no query."""

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import OptimizerCallable
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.nn import functional
from torch.optim import AdamW
from typing_extensions import override

from blackbox_anon.arguments import require
from blackbox_anon.surrogates import AbstractSurrogate
from blackbox_anon.tasks.abstract import UTILITY_LOADER
from blackbox_anon.tasks.one_cycle import one_cycle
from blackbox_anon.types import PairBatch, UtilityBatch
from blackbox_anon.world.training.augmentation import augment, distort


class SurrogateTask(LightningModule):
    """Trains a surrogate to name the utility set's classes; the black box is not asked.

    It reads the same data as the black-box tasks, of which it uses the utility batch. Its
    checkpoint is given to the surrogate of :class:`~blackbox_anon.estimators.SurrogateGuided` as
    ``weights``.

    Clips are varied (colours, light, contrast, sharpness, place), and a share of them harshly: what
    knows raw clips only minds the faintest change of colour, where an MLLM that has seen every kind
    of picture does not, and would tell an anonymizer to make none.

    Validation and test, on raw clips, log ``top1``.

    Args:
        surrogate: What is trained.
        distorted_share: Share of a batch that is varied harshly, in ``[0, 1]``.
        optimizer: Its ``lr`` is the peak of a one-cycle schedule over the run.
        seed: Of how clips are varied.

    Raises:
        ValueError: If an argument is out of its range, or the data has another number of classes.
    """

    def __init__(
        self,
        surrogate: AbstractSurrogate,
        *,
        distorted_share: float = 0.25,
        optimizer: OptimizerCallable = lambda p: AdamW(p, lr=4e-3, weight_decay=0.01),
        seed: int = 0,
    ) -> None:
        super().__init__()
        require(
            distorted_share=(distorted_share, 0 <= distorted_share <= 1, "in [0, 1]"),
            seed=(seed, seed >= 0, "0 or more"),
        )
        self.surrogate = surrogate
        self.distorted_share, self.optimizer, self.seed = distorted_share, optimizer, seed

    @override
    def setup(self, stage: str) -> None:
        data = getattr(self.trainer, "datamodule", None)
        found, known = len(getattr(data, "classes", ())), self.surrogate.num_classes
        if found and found != known:
            msg = f"`surrogate` must know the data's {found} classes; found one of {known}"
            raise ValueError(msg)

    @override
    def forward(self, frames: Tensor) -> Tensor:
        logits: Tensor = self.surrogate(frames)
        return logits

    @override
    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        return one_cycle(self.optimizer(self.surrogate.parameters()), self.trainer)

    def vary(self, frames: Tensor) -> Tensor:
        """Vary clips ``(B, T, 3, H, W)`` or images ``(B, 3, H, W)``; each step draws anew.

        Done on the CPU: one source of randomness for all devices.
        """
        draws = 1_000_003 * self.seed + self.global_step * self.trainer.world_size
        generator = torch.Generator().manual_seed(draws + self.global_rank)
        clips = (frames if frames.ndim == 5 else frames.unsqueeze(1)).cpu()
        count = round(self.distorted_share * len(clips))
        parts = (distort, clips[:count]), (augment, clips[count:])
        varied = [change(part, generator) for change, part in parts if len(part)]
        return torch.cat(varied).view_as(frames).to(frames)

    @override
    def training_step(self, batch: PairBatch, batch_idx: int) -> Tensor:
        utility = batch["utility"]
        loss = functional.cross_entropy(self(self.vary(utility["frames"])), utility["label"])
        self.log("train/surrogate_loss", loss.detach(), prog_bar=True)
        return loss

    @override
    def validation_step(self, batch: UtilityBatch, batch_idx: int, dataloader_idx: int = 0) -> None:
        self._score(batch, "val", dataloader_idx)

    @override
    def test_step(self, batch: UtilityBatch, batch_idx: int, dataloader_idx: int = 0) -> None:
        self._score(batch, "test", dataloader_idx)

    def _score(self, batch: UtilityBatch, stage: str, dataloader_idx: int) -> None:
        if dataloader_idx != UTILITY_LOADER:
            return
        right = (self(batch["frames"]).argmax(1) == batch["label"]).float().mean()
        self.log(
            f"{stage}/top1",
            right,
            prog_bar=True,
            sync_dist=True,
            batch_size=len(batch["label"]),
            add_dataloader_idx=False,
        )
