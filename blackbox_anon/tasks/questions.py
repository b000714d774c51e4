"""Questions about pictures: how they are asked, and how answers are judged."""

from collections.abc import Sequence

import torch
from torch import Tensor

from blackbox_anon.metrics.functional import VQAVariant, vqa_accuracy
from blackbox_anon.metrics.functional.vqa import check_variant
from blackbox_anon.mllms import Response
from blackbox_anon.scorers import AnswerSimilarity, CharacterNGramEncoder
from blackbox_anon.types import UtilityBatch

SHORT_ANSWER = "{question}\nAnswer the question using a single word or phrase."
"""LLaVA's prompt for questions with short answers."""


class QuestionAnswering:
    """What visual question answering asks, loses and scores.

    Args:
        prompt: The prompt, with ``{question}``; the default is LLaVA's. MiniGPT-v2's is
            ``[vqa] Based on the image, respond to this question with a short answer: {question}``.
        similarity: L_MLLM; ``None`` compares all answers by a weight-free text encoder.
        variant: Which VQA accuracy, see :func:`~blackbox_anon.metrics.functional.vqa_accuracy`.

    Raises:
        ValueError: If ``prompt`` has no ``{question}`` or ``variant`` is unknown.

    Example:
        >>> asked = QuestionAnswering("{question} Answer briefly.")
        >>> asked.prompts({"question": ["What sport is this?"]})
        ['What sport is this? Answer briefly.']
    """

    def __init__(
        self,
        prompt: str = SHORT_ANSWER,
        *,
        similarity: AnswerSimilarity | None = None,
        variant: VQAVariant = "official",
    ) -> None:
        if "{question}" not in prompt:
            msg = f"`prompt` must contain '{{question}}'; found {prompt!r}"
            raise ValueError(msg)
        check_variant(variant)
        self.prompt = prompt
        self.similarity = similarity or AnswerSimilarity(CharacterNGramEncoder())
        self.variant: VQAVariant = variant

    def prompts(self, batch: UtilityBatch) -> list[str]:
        """Return what to ask about each sample."""
        return [self.prompt.replace("{question}", question) for question in batch["question"]]

    def losses(self, responses: Sequence[Response], batch: UtilityBatch) -> Tensor:
        """Return L_MLLM of each response, shape ``(B,)``, in ``[0, 2]``."""
        return self.similarity.losses(responses, batch["answers"])

    def scores(self, responses: Sequence[Response], batch: UtilityBatch) -> Tensor:
        """Return the VQA accuracy of each response, shape ``(B,)``."""
        return torch.tensor(
            [
                vqa_accuracy(response.text, answers, variant=self.variant)
                for response, answers in zip(responses, batch["answers"], strict=True)
            ]
        )

    def description(self) -> dict[str, object]:
        """Return what a reader must know to compare a VQA accuracy."""
        return {
            "prompt": self.prompt,
            "vqa_variant": self.variant,
            "loss": f"1 - cosine, {self.similarity.aggregation}",
        }
