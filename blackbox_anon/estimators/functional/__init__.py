"""The estimators' mathematics as pure functions.

Equation numbers are those of "When Visual Privacy Protection Meets Multimodal Large Language
Models" (IJCV 2026). Nothing here keeps state or reads the global random generator.

Example:
    >>> power_decay(0.005, 0.2, step=1)
    0.005
    >>> rademacher(4, seed=0, step=1).abs()
    tensor([1., 1., 1., 1.])
"""

from blackbox_anon.estimators.functional.clipping import clip_to_quantile
from blackbox_anon.estimators.functional.directions import (
    gaussian,
    rademacher,
    segmented_uniform,
)
from blackbox_anon.estimators.functional.enhancement import (
    enhance_gradient,
    guarded_cosine,
    step_indicator,
)
from blackbox_anon.estimators.functional.misfit import misfit
from blackbox_anon.estimators.functional.patterns import Basis, axis_basis, patterns
from blackbox_anon.estimators.functional.schedules import power_decay
from blackbox_anon.estimators.functional.selection import (
    critical_slot,
    importance_scores,
    oldest_slot,
)
from blackbox_anon.estimators.functional.spsa import spsa_gradient

__all__ = [
    "Basis",
    "axis_basis",
    "clip_to_quantile",
    "critical_slot",
    "enhance_gradient",
    "gaussian",
    "guarded_cosine",
    "importance_scores",
    "misfit",
    "oldest_slot",
    "patterns",
    "power_decay",
    "rademacher",
    "segmented_uniform",
    "spsa_gradient",
    "step_indicator",
]
