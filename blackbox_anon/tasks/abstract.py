"""What every task has: an anonymizer, a black box to ask, a reviewer to look."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torchmetrics import Metric
from typing_extensions import override

from blackbox_anon.anonymizers import UNetAnonymizer
from blackbox_anon.judges import AbstractJudge, RetrainedClassifier
from blackbox_anon.metrics import ClassMeanAveragePrecision, SampleMean
from blackbox_anon.metrics.functional import sample_ids
from blackbox_anon.mllms import (
    AbstractMLLM,
    AnonymizedFrames,
    Answer,
    Failure,
    RawFrames,
    Response,
    check_black_box,
)
from blackbox_anon.reviewers import AbstractReviewer
from blackbox_anon.tasks.answered import Answered, answered_part
from blackbox_anon.tasks.failure_log import FailureLog
from blackbox_anon.tasks.failure_policy import FailurePolicy
from blackbox_anon.tasks.guards import refuse_unsupported
from blackbox_anon.tasks.privacy_test import PrivacyTest
from blackbox_anon.tasks.results import utility_result, write_results
from blackbox_anon.tasks.together import StopTogether
from blackbox_anon.types import PrivacyBatch, UtilityBatch

UTILITY_LOADER = 0
STAGES = ("val", "test")
_UNASKED = Failure(kind="server_error", message="not asked: the run stops")


class AbstractTask(LightningModule, ABC):
    """Evaluates an anonymizer: how well the black box answers, how much the reviewer still knows.

    A subclass says what to ask and how good an answer is: :meth:`prompts` and
    :meth:`response_losses`. Validation and test read two loaders, utility first, then privacy.

    A test is judged by ``privacy_judge``, whose name is in the names of what is logged, and written
    to ``results.json`` beside the logs. Samples with one name count once, over all processes.
    Utility is that of the samples that were answered: a failed call is in no metric, neither right
    nor wrong. ``val/failed`` and ``test/failed`` say how many there were, ``results.json`` of which
    kinds (``mllm_failures``).

    Args:
        anonymizer: Frames to frames.
        reviewer: Differentiable privacy reviewer.
        mllm: The black box. A plain attribute, no submodule: it never enters a checkpoint.
        privacy_judge: Who judges privacy in a test; ``None`` is the strictest, a
            :class:`~blackbox_anon.judges.RetrainedClassifier`. Training and validation do not
            need it.
        failures: How much may fail; ``None`` is :class:`~blackbox_anon.tasks.FailurePolicy` with
            its defaults. An evaluation without any answer is refused in any case.
    """

    chance_score: float = float("-inf")
    """Utility score of guessing; the collapse guard compares with it."""

    def __init__(
        self,
        anonymizer: UNetAnonymizer,
        reviewer: AbstractReviewer,
        mllm: AbstractMLLM,
        *,
        privacy_judge: AbstractJudge | None = None,
        failures: FailurePolicy | None = None,
    ) -> None:
        super().__init__()
        check_black_box(mllm)
        self.anonymizer = anonymizer.freeze_encoder()
        self.reviewer = reviewer
        self.mllm = mllm
        self.register_buffer("evaluation_queries", torch.zeros((), dtype=torch.int64))
        self.val_attributes = ClassMeanAveragePrecision(reviewer.num_attributes)
        self.privacy_judge = privacy_judge or RetrainedClassifier()
        self.privacy_test = PrivacyTest(self.privacy_judge, reviewer.num_attributes)
        names = [f"{s}/{n}" for s in STAGES for n in ("utility_loss", "utility_score")]
        self._means = {name: SampleMean() for name in names}
        self.utility_means = nn.ModuleDict(self._means)
        self.failures = failures or FailurePolicy()
        self._calls = FailureLog(self.failures)  # of the current validation or test
        self._logged: dict[str, Metric] = {}  # the utility metrics of the current test
        self._stop = StopTogether()

    evaluation_queries: Tensor

    @abstractmethod
    def prompts(self, batch: UtilityBatch) -> list[str]:
        """Return the question to ask about each sample, ``B`` of them; the same every time."""

    @abstractmethod
    def response_losses(self, responses: Sequence[Response], batch: UtilityBatch) -> Tensor:
        """Return L_MLLM of each response, shape ``(B,)``, in nats, non-negative.

        Args:
            responses: What the black box said, at least one; a failed call is not among them.
            batch: The samples that were answered, as many.
        """

    def response_scores(self, responses: Sequence[Response], batch: UtilityBatch) -> Tensor:
        """Return each response's utility score, shape ``(B,)``, larger is better."""
        return -self.response_losses(responses, batch)

    @override
    def forward(self, frames: Tensor) -> Tensor:
        anonymized: Tensor = self.anonymizer(frames)
        return anonymized

    def utility_values(
        self, stage: str, responses: Sequence[Response], batch: UtilityBatch, ids: Tensor
    ) -> dict[str, Metric]:
        """Update the task's own metrics with a batch and return them by the names to log.

        Args:
            stage: ``val`` or ``test``.
            responses: What the black box said; empty where every call of a batch failed, since all
                processes must log the same metrics.
            batch: The samples it answered.
            ids: Tells samples apart, shape ``(B,)``.
        """
        del stage, responses, batch, ids  # a task without a metric of its own
        return {}

    def utility_description(self) -> dict[str, object]:
        """Return what a reader must know to compare the utility numbers of a test."""
        return {}

    def offer_choices(self, data: object) -> None:
        """Tell the black box which answers to questions about the data are possible; here: any.

        Args:
            data: The data module, set up, if there is one.
        """
        del data
        self.mllm.offer(())  # what an earlier task offered does not hold

    @override
    def setup(self, stage: str) -> None:
        refuse_unsupported(self.trainer)
        data = getattr(self.trainer, "datamodule", None)
        if stage != "predict":  # then nothing is asked, and a folder may be all the data there is
            self.offer_choices(data)
        expected = getattr(data, "num_attributes", self.reviewer.num_attributes)
        if expected != self.reviewer.num_attributes:
            msg = (
                f"`reviewer.num_attributes` must be the data's ({expected}); "
                f"found {self.reviewer.num_attributes}"
            )
            raise ValueError(msg)
        if stage == "test":
            tested = len(self._tested_attributes())
            self.privacy_test = PrivacyTest(self.privacy_judge, tested).to(self.device)

    @override
    def on_validation_start(self) -> None:
        self._calls = FailureLog(self.failures)

    @override
    def validation_step(
        self, batch: UtilityBatch | PrivacyBatch, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if dataloader_idx == UTILITY_LOADER:
            self._evaluate_utility(batch, "val")  # type: ignore[arg-type]  # loader 0
        else:
            self._validate_privacy(batch)  # type: ignore[arg-type]  # loader 1

    @override
    def on_validation_epoch_end(self) -> None:
        self._count_queries("val")

    @override
    def on_test_start(self) -> None:
        self._logged = {}
        self._calls = FailureLog(self.failures)
        if self._judged:
            self.privacy_test.prepare(self, self.reviewer)

    @override
    def test_step(
        self, batch: UtilityBatch | PrivacyBatch, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if dataloader_idx == UTILITY_LOADER:
            self._evaluate_utility(batch, "test")  # type: ignore[arg-type]  # loader 0
        else:
            self.privacy_test.update(self, batch)  # type: ignore[arg-type]  # loader 1
            self._log_metrics(self.privacy_test.logged)

    @override
    def on_test_epoch_end(self) -> None:
        failed = self._count_queries("test")
        judged = self.privacy_test.result(self._tested_attributes()) if self._judged else None
        if judged is not None and judged["chance_ap"] is not None:
            self.log("test/cmap_ap_chance", judged["chance_ap"], sync_dist=True)
        utility = {**self.utility_description(), **utility_result(self._logged)}
        if failed:
            utility["mllm_failures"] = failed
        write_results(self, utility=utility, privacy=judged)

    @override
    def predict_step(
        self, batch: UtilityBatch, batch_idx: int, dataloader_idx: int = 0
    ) -> dict[str, object]:
        return {"frames": self(batch["frames"]), "name": batch["name"]}

    @property
    def _judged(self) -> bool:
        return len(self.trainer.num_test_batches) > UTILITY_LOADER + 1

    def _tested_attributes(self) -> list[str]:
        data = getattr(self.trainer, "datamodule", None)
        trained = getattr(data, "attributes", None)
        names = [f"attribute {i}" for i in range(self.reviewer.num_attributes)]
        return list(getattr(data, "test_attributes", trained) or names)

    def _validate_privacy(self, batch: PrivacyBatch) -> None:
        logits = self.reviewer(self(batch["frames"]))
        self.val_attributes.update(logits, batch["attributes"], sample_ids(batch["name"]))
        self._log_metrics({"val/reviewer_cmap_ap": self.val_attributes})

    def _evaluate_utility(self, batch: UtilityBatch, stage: str) -> None:
        prompts = self.prompts(batch)
        released = self.anonymizer.release(self(batch["frames"]))
        answers = self._query(released, prompts)
        with self._stop.holding(self.trainer):
            self._calls.add(self._calls.tally(answers))  # this process's: shares may be unequal
        part = answered_part(answers, batch)
        ids = sample_ids(part.batch["name"])
        losses, scores = self._judge(part)
        found = {f"{stage}/utility_loss": losses, f"{stage}/utility_score": scores}
        for name, values in found.items():
            self._means[name].update(values.to(self.device), ids)
        metrics: dict[str, Metric] = {name: self._means[name] for name in found}
        metrics |= self.utility_values(stage, part.responses, part.batch, ids)
        self._log_metrics(metrics)
        if stage == "test":
            self._logged |= metrics

    def _query(
        self,
        frames: AnonymizedFrames | RawFrames,
        prompts: Sequence[str],
        meanwhile: Callable[[], None] | None = None,
    ) -> Sequence[Answer]:
        """Ask the black box; nobody has answered where all processes are about to stop."""
        answers: Sequence[Answer] = [_UNASKED] * len(prompts)
        if not self._stop.due:
            with self._stop.holding(self.trainer):
                answers = self.mllm.query(frames, prompts, meanwhile=meanwhile)
        return answers

    def _judge(self, part: Answered) -> tuple[Tensor, Tensor]:
        """Return losses and scores of what was answered."""
        if not part.responses:
            return torch.zeros(0), torch.zeros(0)
        losses = self.response_losses(part.responses, part.batch)
        return losses, self.response_scores(part.responses, part.batch)

    def _log_metrics(self, metrics: Mapping[str, Metric]) -> None:
        for name, metric in metrics.items():
            self.log(name, metric, prog_bar=True, add_dataloader_idx=False, metric_attribute=name)

    def _count_queries(self, stage: str) -> dict[str, int]:
        """Add what all processes asked and return what failed, by kind.

        Once at the end, as they may have unequal shares.
        """
        self._calls.total = self._over_ranks(self._calls.total.to(self.device), "sum").cpu()
        self.evaluation_queries += self._calls.asked
        with self._stop.holding(self.trainer):
            self._calls.require_an_answer()
        self._stop.agree(self.trainer)
        failed = self._calls.failed
        self.log(f"{stage}/failed", float(sum(failed.values())), sync_dist=True)
        return failed

    def _over_ranks(self, values: Tensor, how: str) -> Tensor:
        reduced: Tensor = self.trainer.strategy.reduce(values.clone(), reduce_op=how)
        return reduced
