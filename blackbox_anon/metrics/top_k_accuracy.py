"""Streaming Top-k from class scores."""

from torch import Tensor
from typing_extensions import override

from blackbox_anon.metrics.functional.top_k import Ties, top_k_correct
from blackbox_anon.metrics.sample_metric import AbstractSampleMetric


class TopKAccuracy(AbstractSampleMetric):
    """Share of samples whose class is among the ``k`` best scored; higher is better.

    With the scores of :class:`~blackbox_anon.scorers.RetrievalScorer` this is the retrieval rule of
    VLM-Eval. All classes are candidates, also one that never occurs in the labels (VLM-Eval itself
    only takes classes that occur). Where fewer than ``k`` classes exist, the value is 1.

    Args:
        k: How many of the best count.
        ties: How equal scores are ranked, see
            :func:`~blackbox_anon.metrics.functional.top_k_correct`.

    Raises:
        ValueError: If ``k`` is not positive.

    Example:
        >>> import torch
        >>> metric = TopKAccuracy(k=2)
        >>> metric.update(torch.tensor([[0.1, 0.7, 0.2], [0.5, 0.4, 0.1]]), torch.tensor([2, 2]))
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    higher_is_better = True

    def __init__(self, k: int = 1, *, ties: Ties = "against") -> None:
        if k < 1:
            raise ValueError(f"k: expected at least 1, found {k}.")
        super().__init__(1)
        self.k = k
        self.ties: Ties = ties

    @override
    def update(self, scores: Tensor, labels: Tensor, ids: Tensor | None = None) -> None:
        """Add a batch.

        Args:
            scores: Class scores, larger is better, shape ``(B, K)``.
            labels: Right classes, shape ``(B,)``, int64.
            ids: Shape ``(B,)``; a sample whose id was seen before does not count again.

        Raises:
            ValueError: If the shapes do not fit, a score is NaN or a label is no class.
        """
        k = min(self.k, scores.shape[-1])
        correct = top_k_correct(scores, labels, k=k, ties=self.ties)
        self._keep(correct.unsqueeze(1), ids)

    @override
    def evaluate(self, rows: Tensor) -> Tensor:
        return rows.mean()
