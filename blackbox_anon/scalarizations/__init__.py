"""Several objectives in, one gradient out.

A scalarization receives the objectives' values and one gradient row per objective, utility first
and privacy second in the paper, and keeps the best value of each as its ideal point.
:class:`AugmentedTchebycheff` is the paper's; :class:`Tchebycheff` and :class:`WeightedSum` are what
Table 5 compares it with. :mod:`blackbox_anon.scalarizations.functional` has the formulas alone.

Example:
    >>> import torch
    >>> scalarize = AugmentedTchebycheff(weights=(0.5, 0.5), augmentation=1e-4)
    >>> combined = scalarize(torch.tensor([4.0, 0.6]), torch.randn(2, 9000))
    >>> combined.gradient.shape, int(combined.active)
    (torch.Size([9000]), 0)
"""

from blackbox_anon.scalarizations.abstract import AbstractScalarization, Scalarized
from blackbox_anon.scalarizations.ideal_point import FirstValueScale, IdealPoint
from blackbox_anon.scalarizations.ideal_scalarization import AbstractIdealScalarization
from blackbox_anon.scalarizations.tchebycheff import AugmentedTchebycheff, Tchebycheff
from blackbox_anon.scalarizations.weighted_sum import WeightedSum

__all__ = [
    "AbstractIdealScalarization",
    "AbstractScalarization",
    "AugmentedTchebycheff",
    "FirstValueScale",
    "IdealPoint",
    "Scalarized",
    "Tchebycheff",
    "WeightedSum",
]
