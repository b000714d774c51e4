"""One score per video instead of one per frame."""

import torch
from torch import Tensor
from torchmetrics.utilities import dim_zero_cat
from typing_extensions import override

from blackbox_anon.metrics.attribute_metric import AbstractAttributeMetric
from blackbox_anon.metrics.functional.samples import first_of_each
from blackbox_anon.metrics.functional.videos import mean_over_videos


class VideoLevel(AbstractAttributeMetric):
    """Averages the scores of a video's frames or clips, then applies another metric.

    This is the protocol of VP-HMDB51 and VP-UCF101, whose labels belong to whole videos. Frames of
    a video may arrive in any batch and any process.

    Args:
        metric: What is computed from one row per video; its own state stays empty.

    Example:
        >>> from blackbox_anon.metrics import ClassMeanAveragePrecision
        >>> from blackbox_anon.metrics.functional import sample_ids
        >>> metric = VideoLevel(ClassMeanAveragePrecision(1))
        >>> scores, targets = torch.tensor([[0.9], [0.2], [0.7]]), torch.tensor([[1], [1], [0]])
        >>> metric.update(scores, targets, videos=sample_ids(["a", "a", "b"]))
        >>> metric.compute()  # a: 0.55, b: 0.7
        tensor(0.5000, dtype=torch.float64)
    """

    videos: list[Tensor]

    def __init__(self, metric: AbstractAttributeMetric) -> None:
        super().__init__(metric.num_attributes)
        self.metric = metric
        self.add_state("videos", [], dist_reduce_fx="cat")

    @override
    def update(
        self,
        scores: Tensor,
        targets: Tensor,
        ids: Tensor | None = None,
        *,
        videos: Tensor | None = None,
    ) -> None:
        """Add a batch of frames or clips.

        Args:
            scores: Shape ``(B, A)``.
            targets: Labels of the video each row belongs to, shape ``(B, A)``.
            ids: Tells the rows apart, shape ``(B,)``.
            videos: Tells the videos apart, shape ``(B,)``, int64.

        Raises:
            ValueError: If ``videos`` is missing or has another length.
        """
        if videos is None or videos.shape != (len(scores),):
            found = "none" if videos is None else f"shape {tuple(videos.shape)}"
            raise ValueError(f"videos: expected {len(scores)} ids of videos, found {found}.")
        super().update(scores, targets, ids)
        self.videos.append(videos.to(scores.device, torch.int64))

    @override
    def distinct(self) -> Tensor:
        self._start()
        kept = first_of_each(dim_zero_cat(self.ids))
        return mean_over_videos(dim_zero_cat(self.rows)[kept], dim_zero_cat(self.videos)[kept])

    @override
    def values(self, marks: Tensor, targets: Tensor) -> Tensor:
        return self.metric.values(self.metric.marks(marks).double(), targets)

    @override
    def mean_of(self, values: Tensor) -> Tensor:
        return self.metric.mean_of(values)

    @override
    def _start(self) -> None:
        super()._start()
        if isinstance(self.videos, list) and not self.videos:
            self.videos.append(torch.zeros(0, dtype=torch.int64, device=self.device))
