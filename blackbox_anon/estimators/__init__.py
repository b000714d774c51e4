"""Zeroth-order gradients of a loss that can only be asked for.

An estimator receives the flat trained parameters and a :class:`BlackBoxProblem` (how to anonymize
the batch, how to ask the black box) and returns an :class:`Estimate`. :class:`SPSA` needs two
queries per sample; :class:`CriticalHistorySPSA`, the paper's method, corrects it by stored critical
gradients for no query more. :class:`CriticalHistory` does so for any gradient vector.
:class:`ActiveSubspaceSPSA` and :class:`OutputSpaceSPSA` use that the anonymizer, unlike the black
box, is ours to differentiate. :class:`SPSAGC`, :class:`SeparableCMAES` and :class:`PolicyGradient`
are what else is in use, and :class:`WhiteBox` is the limit, for a local model.
:class:`FidelityGuided` guides any of them by the distance to the raw frames, and
:class:`SurrogateGuided` by a local model that learns from the answers;
:class:`SkipWhilePrivate` and :class:`AdaptiveAllocation` save queries around them.
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

from blackbox_anon.estimators.abstract import AbstractEstimator, Estimate
from blackbox_anon.estimators.active_subspace_spsa import ActiveSubspaceSPSA
from blackbox_anon.estimators.adaptive_allocation import AdaptiveAllocation
from blackbox_anon.estimators.critical_history import CriticalHistory, Enhanced
from blackbox_anon.estimators.critical_history_spsa import CriticalHistorySPSA
from blackbox_anon.estimators.evolution_strategy import SeparableCMAES
from blackbox_anon.estimators.fidelity_guided import FidelityGuided
from blackbox_anon.estimators.functional import power_decay
from blackbox_anon.estimators.output_space_spsa import OutputSpaceSPSA
from blackbox_anon.estimators.policy_gradient import PolicyGradient
from blackbox_anon.estimators.problem import Asked, BlackBoxProblem
from blackbox_anon.estimators.sample_spsa import SampleSPSA
from blackbox_anon.estimators.skip_while_private import SkipWhilePrivate
from blackbox_anon.estimators.spsa import SPSA
from blackbox_anon.estimators.spsa_gc import SPSAGC
from blackbox_anon.estimators.surrogate_guided import SurrogateGuided
from blackbox_anon.estimators.white_box import WhiteBox

__all__ = [
    "SPSA",
    "SPSAGC",
    "AbstractEstimator",
    "ActiveSubspaceSPSA",
    "AdaptiveAllocation",
    "Asked",
    "BlackBoxProblem",
    "CriticalHistory",
    "CriticalHistorySPSA",
    "Enhanced",
    "Estimate",
    "FidelityGuided",
    "OutputSpaceSPSA",
    "PolicyGradient",
    "SampleSPSA",
    "SeparableCMAES",
    "SkipWhilePrivate",
    "SurrogateGuided",
    "WhiteBox",
    "power_decay",
]
