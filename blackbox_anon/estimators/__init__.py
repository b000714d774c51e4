"""Zeroth-order gradients of a loss that can only be asked for.

An estimator receives the flat trained parameters and a :class:`BlackBoxProblem` (how to anonymize
the batch, how to ask the black box) and returns an :class:`Estimate`. :class:`SPSA` needs two
queries per sample; :class:`CriticalHistorySPSA`, the paper's method, corrects it by stored critical
gradients for no query more. :class:`CriticalHistory` does so for any gradient vector.
:mod:`blackbox_anon.estimators.functional` has the formulas alone.

Example:
    >>> import torch
    >>> def anonymize(theta: torch.Tensor) -> torch.Tensor:
    ...     return theta.reshape(1, 3, 1, 1)
    >>> def losses(frames: torch.Tensor) -> torch.Tensor:
    ...     return (frames - 0.5).square().sum(dim=(1, 2, 3))
    >>> estimator = CriticalHistorySPSA(radius=0.1)
    >>> estimator.allocate(3)
    >>> theta = torch.tensor([0.5, 0.5, 0.8])
    >>> estimate = estimator(theta, BlackBoxProblem(anonymize=anonymize, losses=losses))
    >>> estimate.queries, estimate.gradient.shape, bool(estimate.gradient.isfinite().all())
    (2, torch.Size([3]), True)
"""

from blackbox_anon.estimators.abstract import AbstractEstimator, BlackBoxProblem, Estimate
from blackbox_anon.estimators.critical_history import CriticalHistory, Enhanced
from blackbox_anon.estimators.critical_history_spsa import CriticalHistorySPSA
from blackbox_anon.estimators.functional import power_decay
from blackbox_anon.estimators.output_space_spsa import OutputSpaceSPSA
from blackbox_anon.estimators.spsa import SPSA

__all__ = [
    "SPSA",
    "AbstractEstimator",
    "BlackBoxProblem",
    "CriticalHistory",
    "CriticalHistorySPSA",
    "Enhanced",
    "Estimate",
    "OutputSpaceSPSA",
    "power_decay",
]
