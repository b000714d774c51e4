"""The metrics as pure functions, and intervals for what they return.

Two numbers are called cMAP in the literature: the mean over attributes of average precision (from
scores), and the mean of thresholded precision. Both are here under their own names.

Example:
    >>> import torch
    >>> scores = torch.tensor([[0.9, 0.2], [0.6, 0.8], [0.1, 0.4]])
    >>> targets = torch.tensor([[1, 0], [0, 1], [0, 1]])
    >>> class_mean_average_precision(scores, targets)
    tensor(1., dtype=torch.float64)
    >>> chance_average_precision(targets)
    tensor([0.3333, 0.6667], dtype=torch.float64)
    >>> class_mean_precision(scores, targets)
    tensor(0.7500, dtype=torch.float64)
    >>> vqa_accuracy("Braids", ["braids"] * 2 + ["pony tail"] * 8)
    0.6
"""

from blackbox_anon.metrics.functional.answer_text import normalize_answer
from blackbox_anon.metrics.functional.average_precision import (
    average_precision_per_attribute,
    chance_average_precision,
    class_mean_average_precision,
)
from blackbox_anon.metrics.functional.intervals import bootstrap_interval, wilson_interval
from blackbox_anon.metrics.functional.precision import (
    NeverPredicted,
    class_mean_precision,
    precision_per_attribute,
)
from blackbox_anon.metrics.functional.samples import first_of_each, sample_ids
from blackbox_anon.metrics.functional.top_k import Ties, top_k_correct
from blackbox_anon.metrics.functional.videos import mean_over_videos
from blackbox_anon.metrics.functional.vqa import VQAVariant, vqa_accuracy

__all__ = [
    "NeverPredicted",
    "Ties",
    "VQAVariant",
    "average_precision_per_attribute",
    "bootstrap_interval",
    "chance_average_precision",
    "class_mean_average_precision",
    "class_mean_precision",
    "first_of_each",
    "mean_over_videos",
    "normalize_answer",
    "precision_per_attribute",
    "sample_ids",
    "top_k_correct",
    "vqa_accuracy",
    "wilson_interval",
]
