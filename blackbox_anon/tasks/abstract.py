"""What every task has: an anonymizer, a black box to ask, a reviewer to look."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from typing_extensions import override

from blackbox_anon.anonymizers import UNetAnonymizer
from blackbox_anon.metrics import ClassMeanAveragePrecision
from blackbox_anon.mllms import AbstractMLLM, Response, check_black_box
from blackbox_anon.reviewers import AbstractReviewer
from blackbox_anon.tasks.guards import refuse_unsupported
from blackbox_anon.types import PrivacyBatch, UtilityBatch

UTILITY_LOADER = 0


class AbstractTask(LightningModule, ABC):
    """Evaluates an anonymizer: how well the black box answers, how much the reviewer still knows.

    A subclass says what to ask and how good an answer is: :meth:`prompts` and
    :meth:`response_losses`. Validation and test read two loaders, utility first, then privacy.

    Args:
        anonymizer: Frames to frames.
        reviewer: Differentiable privacy reviewer.
        mllm: The black box. A plain attribute, no submodule: it never enters a checkpoint.
    """

    chance_score: float = float("-inf")
    """Utility score of guessing; the collapse guard compares with it."""

    def __init__(
        self, anonymizer: UNetAnonymizer, reviewer: AbstractReviewer, mllm: AbstractMLLM
    ) -> None:
        super().__init__()
        check_black_box(mllm)
        self.anonymizer = anonymizer.freeze_encoder()
        self.reviewer = reviewer
        self.mllm = mllm
        self.register_buffer("evaluation_queries", torch.zeros((), dtype=torch.int64))
        self.val_attributes = ClassMeanAveragePrecision(reviewer.num_attributes)
        self.test_attributes = ClassMeanAveragePrecision(reviewer.num_attributes)

    evaluation_queries: Tensor

    @abstractmethod
    def prompts(self, batch: UtilityBatch) -> list[str]:
        """Return the question to ask about each sample, ``B`` of them; the same every time."""

    @abstractmethod
    def response_losses(self, responses: Sequence[Response], batch: UtilityBatch) -> Tensor:
        """Return L_MLLM of each response, shape ``(B,)``, in nats, non-negative."""

    def response_scores(self, responses: Sequence[Response], batch: UtilityBatch) -> Tensor:
        """Return each response's utility score, shape ``(B,)``, larger is better."""
        return -self.response_losses(responses, batch)

    @override
    def forward(self, frames: Tensor) -> Tensor:
        anonymized: Tensor = self.anonymizer(frames)
        return anonymized

    @override
    def setup(self, stage: str) -> None:
        refuse_unsupported(self.trainer)
        attributes = getattr(self.trainer, "datamodule", None)
        expected = getattr(attributes, "num_attributes", self.reviewer.num_attributes)
        if expected != self.reviewer.num_attributes:
            msg = (
                f"`reviewer.num_attributes` must be the data's ({expected}); "
                f"found {self.reviewer.num_attributes}"
            )
            raise ValueError(msg)

    @override
    def validation_step(
        self, batch: UtilityBatch | PrivacyBatch, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._evaluate(batch, dataloader_idx, "val", self.val_attributes)

    @override
    def test_step(
        self, batch: UtilityBatch | PrivacyBatch, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._evaluate(batch, dataloader_idx, "test", self.test_attributes)

    @override
    def predict_step(
        self, batch: UtilityBatch, batch_idx: int, dataloader_idx: int = 0
    ) -> dict[str, object]:
        return {"frames": self(batch["frames"]), "name": batch["name"]}

    def _evaluate(
        self,
        batch: UtilityBatch | PrivacyBatch,
        dataloader_idx: int,
        stage: str,
        metric: ClassMeanAveragePrecision,
    ) -> None:
        anonymized = self(batch["frames"])
        if dataloader_idx == UTILITY_LOADER:
            self._evaluate_utility(anonymized, batch, stage)  # type: ignore[arg-type]  # loader 0
        else:
            metric.update(self.reviewer(anonymized), batch["attributes"])  # type: ignore[typeddict-item]  # loader 1
            self.log(f"{stage}/reviewer_cmap_ap", metric, add_dataloader_idx=False)

    def _evaluate_utility(self, anonymized: Tensor, batch: UtilityBatch, stage: str) -> None:
        prompts = self.prompts(batch)
        responses = self.mllm.query(anonymized, prompts)
        asked = self.evaluation_queries.new_tensor(len(prompts))
        self.evaluation_queries += self._over_ranks(asked, "sum")
        self.log_dict(
            {
                f"{stage}/utility_loss": self.response_losses(responses, batch).mean(),
                f"{stage}/utility_score": self.response_scores(responses, batch).mean(),
            },
            prog_bar=True,
            add_dataloader_idx=False,
            batch_size=len(prompts),
            sync_dist=True,
        )

    def _over_ranks(self, values: Tensor, how: str) -> Tensor:
        reduced: Tensor = self.trainer.strategy.reduce(values.clone(), reduce_op=how)
        return reduced
