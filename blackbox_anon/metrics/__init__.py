"""Streaming metrics: how well an attacker still recognises private attributes.

:class:`ClassMeanAveragePrecision` is the number to report. Read it against its chance level, the
mean prevalence: an attacker that learned nothing scores that, not zero. The same mathematics as
pure functions, and confidence intervals, are in :mod:`blackbox_anon.metrics.functional`.

Example:
    >>> import torch
    >>> metric = ClassMeanAveragePrecision(num_attributes=2)
    >>> metric.update(torch.tensor([[0.9, 0.2], [0.6, 0.8]]), torch.tensor([[1, 0], [0, 1]]))
    >>> metric.compute(), metric.chance().nanmean()
    (tensor(1.), tensor(0.5000))
"""

from blackbox_anon.metrics.class_mean_average_precision import ClassMeanAveragePrecision
from blackbox_anon.metrics.class_mean_precision import ClassMeanPrecision

__all__ = ["ClassMeanAveragePrecision", "ClassMeanPrecision"]
