"""The estimators of parameter space, small enough for a quadratic of six parameters."""

import torch

from blackbox_anon.estimators import SPSA, CriticalHistorySPSA

THETA = torch.linspace(0.7, 0.3, 6, dtype=torch.float64)
SEVEN = torch.linspace(-0.5, 0.5, 7, dtype=torch.float64)
"""For the smooth and the linear problems."""


def make_spsa(seed: int = 0, num_directions: int = 1) -> SPSA:
    return SPSA(0.1, seed=seed, num_directions=num_directions)


def make_critical(seed: int = 0, num_directions: int = 1) -> CriticalHistorySPSA:
    estimator = CriticalHistorySPSA(0.1, seed=seed, num_directions=num_directions, capacity=3)
    estimator.allocate(6)
    return estimator.double()
