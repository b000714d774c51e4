"""Visual question answering: the task of the paper's Tables 3 and 4."""

from collections.abc import Sequence

from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor, nn
from torch.optim import SGD, Adam
from torchmetrics import Metric
from typing_extensions import override

from blackbox_anon.anonymizers import UNetAnonymizer
from blackbox_anon.estimators import AbstractEstimator
from blackbox_anon.judges import AbstractJudge
from blackbox_anon.metrics import VQAAccuracy
from blackbox_anon.mllms import AbstractMLLM, Response
from blackbox_anon.reviewers import AbstractReviewer
from blackbox_anon.scalarizations import AbstractScalarization
from blackbox_anon.tasks.abstract import STAGES
from blackbox_anon.tasks.ahead import Overlap
from blackbox_anon.tasks.black_box import BlackBoxAnonymization
from blackbox_anon.tasks.failure_policy import FailurePolicy
from blackbox_anon.tasks.questions import QuestionAnswering
from blackbox_anon.types import UtilityBatch


class VisualQuestionAnswering(BlackBoxAnonymization):
    """The MLLM is asked a question about each picture; L_MLLM is a distance between texts.

    The loss is ``1 - cosine`` of the text embeddings of response and ground-truth answers; the
    score, also logged as ``vqa_accuracy``, is the VQA accuracy of the whole response. Answers must
    be short for that: ask for it in the prompt and bound ``max_new_tokens``.

    Args:
        questions: How questions are asked and judged; ``None`` is LLaVA's prompt, the official VQA
            accuracy, and a weight-free text encoder. The paper's is
            :class:`~blackbox_anon.scorers.OpenCLIPTextEncoder`.
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
        Appendix E; Antol et al., ICCV 2015, and Marino et al., CVPR 2019, for the score.
    """

    chance_score = 0.0
    """Guessing an open answer is never right."""

    def __init__(
        self,
        anonymizer: UNetAnonymizer,
        reviewer: AbstractReviewer,
        mllm: AbstractMLLM,
        *,
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
        self.questions = questions or QuestionAnswering()
        self._accuracies = {stage: VQAAccuracy(self.questions.variant) for stage in STAGES}
        self.accuracies = nn.ModuleDict(self._accuracies)

    @override
    def prompts(self, batch: UtilityBatch) -> list[str]:
        return self.questions.prompts(batch)

    @override
    def response_losses(self, responses: Sequence[Response], batch: UtilityBatch) -> Tensor:
        return self.questions.losses(responses, batch)

    @override
    def response_scores(self, responses: Sequence[Response], batch: UtilityBatch) -> Tensor:
        return self.questions.scores(responses, batch)

    @override
    def utility_values(
        self, stage: str, responses: Sequence[Response], batch: UtilityBatch, ids: Tensor
    ) -> dict[str, Metric]:
        accuracy = self._accuracies[stage]
        accuracy.update([response.text for response in responses], batch["answers"], ids)
        return {f"{stage}/vqa_accuracy": accuracy}

    @override
    def utility_description(self) -> dict[str, object]:
        return self.questions.description()
