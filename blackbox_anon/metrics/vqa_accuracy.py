"""Streaming VQA accuracy."""

from collections.abc import Sequence

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.metrics.functional.vqa import VQAVariant, check_variant, vqa_accuracy
from blackbox_anon.metrics.sample_metric import AbstractSampleMetric


class VQAAccuracy(AbstractSampleMetric):
    """Mean VQA accuracy over questions; higher is better.

    Which of the numbers in use it is, ``variant`` says; report it with the value. OK-VQA lists a
    stemmed ``answer`` and a ``raw_answer``; which of them was compared belongs beside it too.

    Args:
        variant: See :func:`~blackbox_anon.metrics.functional.vqa_accuracy`.

    Raises:
        ValueError: If ``variant`` is unknown.

    Example:
        >>> metric = VQAAccuracy()
        >>> metric.update(["Surfing.", "two"], [["surfing"] * 10, ["2"] * 2 + ["3"] * 8])
        >>> metric.compute()
        tensor(0.8000, dtype=torch.float64)
    """

    higher_is_better = True

    def __init__(self, variant: VQAVariant = "official") -> None:
        check_variant(variant)
        super().__init__(1)
        self.variant: VQAVariant = variant

    @override
    def update(
        self,
        predictions: Sequence[str],
        answers: Sequence[Sequence[str]],
        ids: Tensor | None = None,
    ) -> None:
        """Add a batch.

        Args:
            predictions: ``B`` texts.
            answers: The annotators' answers to each of the ``B`` questions.
            ids: Shape ``(B,)``; a question whose id was seen before does not count again.

        Raises:
            ValueError: If the lengths differ or a question has fewer than two answers.
        """
        if len(predictions) != len(answers):
            raise ValueError(f"answers: expected {len(predictions)} lists, found {len(answers)}.")
        pairs = zip(predictions, answers, strict=True)
        values = [vqa_accuracy(text, given, variant=self.variant) for text, given in pairs]
        rows = torch.tensor(values, dtype=torch.float64, device=self.device).unsqueeze(1)
        self._keep(rows, ids)

    @override
    def evaluate(self, rows: Tensor) -> Tensor:
        return rows.mean()
