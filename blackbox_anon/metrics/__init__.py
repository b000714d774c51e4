"""Streaming metrics: what an attacker still recognises, and what the black box still answers.

:class:`ClassMeanAveragePrecision` is the privacy number to report. Read it against its chance
level, the mean prevalence: an attacker that learned nothing scores that, not zero.
:class:`ClassMeanPrecision` is another number under its own name. :class:`TopKAccuracy` and
:class:`VQAAccuracy` measure utility. All of them count a sample once, whichever process saw it, if
it comes with an id. The same mathematics as pure functions, and confidence intervals, are in
:mod:`blackbox_anon.metrics.functional`.

Example:
    >>> import torch
    >>> metric = ClassMeanAveragePrecision(num_attributes=2)
    >>> metric.update(torch.tensor([[0.9, 0.2], [0.6, 0.8]]), torch.tensor([[1, 0], [0, 1]]))
    >>> metric.compute(), metric.chance().nanmean()
    (tensor(1., dtype=torch.float64), tensor(0.5000, dtype=torch.float64))
"""

from blackbox_anon.metrics.attribute_metric import AbstractAttributeMetric
from blackbox_anon.metrics.class_mean_average_precision import ClassMeanAveragePrecision
from blackbox_anon.metrics.class_mean_precision import ClassMeanPrecision
from blackbox_anon.metrics.sample_mean import SampleMean
from blackbox_anon.metrics.sample_metric import AbstractSampleMetric
from blackbox_anon.metrics.top_k_accuracy import TopKAccuracy
from blackbox_anon.metrics.video_level import VideoLevel
from blackbox_anon.metrics.vqa_accuracy import VQAAccuracy

__all__ = [
    "AbstractAttributeMetric",
    "AbstractSampleMetric",
    "ClassMeanAveragePrecision",
    "ClassMeanPrecision",
    "SampleMean",
    "TopKAccuracy",
    "VQAAccuracy",
    "VideoLevel",
]
