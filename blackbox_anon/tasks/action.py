"""Action recognition: the task of the paper's main tables."""

from collections.abc import Sequence

from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Adam
from torchmetrics import Metric
from typing_extensions import override

from blackbox_anon.anonymizers import UNetAnonymizer
from blackbox_anon.estimators import AbstractEstimator, Asked
from blackbox_anon.judges import AbstractJudge
from blackbox_anon.metrics import TopKAccuracy, VQAAccuracy
from blackbox_anon.metrics.functional import top_k_correct
from blackbox_anon.mllms import AbstractMLLM, Response
from blackbox_anon.reviewers import AbstractReviewer
from blackbox_anon.scalarizations import AbstractScalarization
from blackbox_anon.scorers import (
    AbstractScorer,
    CharacterNGramEncoder,
    LogprobScorer,
    RetrievalScorer,
)
from blackbox_anon.tasks.abstract import STAGES, UTILITY_LOADER
from blackbox_anon.tasks.ahead import Overlap
from blackbox_anon.tasks.black_box import BlackBoxAnonymization
from blackbox_anon.tasks.failure_policy import FailurePolicy
from blackbox_anon.tasks.questions import QuestionAnswering
from blackbox_anon.types import PrivacyBatch, UtilityBatch

TOP = (1, 5)


class ActionRecognition(BlackBoxAnonymization):
    """The MLLM is asked what is done; L_MLLM is the cross-entropy over class scores.

    Validation and test log ``top1`` and ``top5``, see :class:`~blackbox_anon.metrics.TopKAccuracy`:
    a class that ties with another is not the best. On a batch with questions, of a test on another
    set than was trained on, the MLLM is asked these instead, and ``vqa_accuracy`` is logged.

    Args:
        prompt: The question, the same for every clip: a prompt drawn per call would break a pair.
        classes: Class texts in label order; ``None`` takes the data module's
            ``class_texts`` or, where it has none, its ``classes``.
        scorer: From responses to class scores; ``None`` is the retrieval rule with a weight-free
            text encoder.
        logit_scale: Factor of the scores inside the softmax, positive, logged. The paper gives
            none: 1 leaves the loss of 101 cosines almost flat, CLIP's own is 100.
        questions: How questions are asked and judged where a batch has them; ``None`` is the
            default of :class:`~blackbox_anon.tasks.QuestionAnswering`.
        anonymizer: As for :class:`BlackBoxAnonymization`, and so are all other arguments.
        reviewer: See there.
        mllm: See there.
        estimator: See there.
        scalarization: See there.
        anonymizer_optimizer: See there.
        step_decay: See there.
        step_offset: See there.
        gradient_scales: See there.
        max_step_norm: See there.
        reviewer_optimizer: See there.
        reviewer_steps: See there.
        reviewer_restart_every: See there.
        privacy_judge: See there.
        failures: See there.
        overlap: See there.

    Reference:
        Appendix E; VLM-Eval (Li et al., 2023) for the retrieval rule.
    """

    def __init__(
        self,
        anonymizer: UNetAnonymizer,
        reviewer: AbstractReviewer,
        mllm: AbstractMLLM,
        *,
        prompt: str = "What is the person doing?",
        classes: list[str] | None = None,
        scorer: AbstractScorer | None = None,
        logit_scale: float = 1.0,
        questions: QuestionAnswering | None = None,
        estimator: AbstractEstimator | None = None,
        scalarization: AbstractScalarization | None = None,
        anonymizer_optimizer: OptimizerCallable = lambda p: SGD(p, lr=0.01),
        step_decay: float = 0.4,
        step_offset: int = 0,
        gradient_scales: tuple[float, float] = (1.0, 1.0),
        max_step_norm: float | None = None,
        reviewer_optimizer: OptimizerCallable = lambda p: Adam(p, lr=1e-3, fused=True),
        reviewer_steps: int = 1,
        reviewer_restart_every: int = 0,
        privacy_judge: AbstractJudge | None = None,
        failures: FailurePolicy | None = None,
        overlap: Overlap = "auto",
    ) -> None:
        super().__init__(
            anonymizer,
            reviewer,
            mllm,
            estimator=estimator,
            scalarization=scalarization,
            anonymizer_optimizer=anonymizer_optimizer,
            step_decay=step_decay,
            step_offset=step_offset,
            gradient_scales=gradient_scales,
            max_step_norm=max_step_norm,
            reviewer_optimizer=reviewer_optimizer,
            reviewer_steps=reviewer_steps,
            reviewer_restart_every=reviewer_restart_every,
            privacy_judge=privacy_judge,
            failures=failures,
            overlap=overlap,
        )
        if logit_scale <= 0:
            msg = f"`logit_scale` must be positive; found {logit_scale}"
            raise ValueError(msg)
        self.prompt, self.logit_scale = prompt, logit_scale
        self._given_classes = list(classes or ())
        self.classes = self._given_classes
        self.scorer = scorer or RetrievalScorer(CharacterNGramEncoder())
        self.questions = questions or QuestionAnswering()
        self._scored: tuple[Sequence[Response], Tensor] | None = None
        self._top = {stage: {k: TopKAccuracy(k) for k in TOP} for stage in STAGES}
        self._vqa = {stage: VQAAccuracy(self.questions.variant) for stage in STAGES}
        top = {f"{stage}/top{k}": self._top[stage][k] for stage in STAGES for k in TOP}
        vqa = {f"{stage}/vqa_accuracy": self._vqa[stage] for stage in STAGES}
        self.accuracies = nn.ModuleDict({**top, **vqa})

    @override
    def setup(self, stage: str) -> None:
        super().setup(stage)
        if stage in ("fit", "validate"):  # a test may be one of questions
            self._check_classes()
        if self.classes:
            self.chance_score = 1 / len(self.classes)

    @override
    def offer_choices(self, data: object) -> None:
        if not self._given_classes:  # each time: a protocol may test on other classes
            self.classes = list(getattr(data, "class_texts", ()) or getattr(data, "classes", ()))
        self.mllm.offer(self.classes)

    @override
    def on_test_batch_start(
        self, batch: UtilityBatch | PrivacyBatch, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if dataloader_idx == UTILITY_LOADER:  # classes may be given, and a test be of questions
            self.mllm.offer(() if "question" in batch else self.classes)

    @override
    def prompts(self, batch: UtilityBatch) -> list[str]:
        if "question" in batch:
            return self.questions.prompts(batch)
        return [self.prompt] * len(batch["label"])

    @override
    def asked(self, batch: UtilityBatch) -> Asked | None:
        if "question" in batch:
            return None
        return Asked(
            prompts=self.prompts(batch),
            classes=self.classes,
            labels=batch["label"],
            logit_scale=self.logit_scale,
            identity=self.mllm.identity,
            first_tokens=isinstance(self.scorer, LogprobScorer),
        )

    @override
    def response_losses(self, responses: Sequence[Response], batch: UtilityBatch) -> Tensor:
        if "question" in batch:
            return self.questions.losses(responses, batch)
        logits = self.logit_scale * self.class_scores(responses)
        return functional.cross_entropy(logits, batch["label"].cpu(), reduction="none")

    @override
    def response_scores(self, responses: Sequence[Response], batch: UtilityBatch) -> Tensor:
        if "question" in batch:
            return self.questions.scores(responses, batch)
        return top_k_correct(self.class_scores(responses), batch["label"].cpu()).float()

    @override
    def utility_values(
        self, stage: str, responses: Sequence[Response], batch: UtilityBatch, ids: Tensor
    ) -> dict[str, Metric]:
        if "question" in batch:
            self._vqa[stage].update([r.text for r in responses], batch["answers"], ids)
            return {f"{stage}/vqa_accuracy": self._vqa[stage]}
        scores = self.class_scores(responses).to(self.device)
        for metric in self._top[stage].values():
            metric.update(scores, batch["label"], ids)
        return {f"{stage}/top{k}": metric for k, metric in self._top[stage].items()}

    @override
    def utility_description(self) -> dict[str, object]:
        told = {"grey_box": True} if self.mllm.identity.get("grey_box") else {}
        if not self.classes:
            return {**self.questions.description(), **told}
        return {
            "prompt": self.prompt,
            "classes": len(self.classes),
            "scorer": type(self.scorer).__name__,
            "ties": "against",
            **told,
        }

    def class_scores(self, responses: Sequence[Response]) -> Tensor:
        """Score the classes, shape ``(B, K)``, by :attr:`scorer`; the last responses' are kept."""
        self._check_classes()
        if self._scored is None or self._scored[0] is not responses:
            self._scored = responses, self.scorer.scores(responses, self.classes)
        return self._scored[1]

    def _check_classes(self) -> None:
        if not self.classes:
            msg = "`classes` must be given where the data module has none; found neither"
            raise ValueError(msg)
