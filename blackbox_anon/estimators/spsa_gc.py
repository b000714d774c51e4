"""SPSA with gradient correction: a look-ahead momentum of averaged estimates."""

from dataclasses import replace

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.arguments import require
from blackbox_anon.estimators.abstract import Estimate
from blackbox_anon.estimators.counting import require_allocated, require_same_size
from blackbox_anon.estimators.functional import segmented_uniform
from blackbox_anon.estimators.paired import AbstractPairedEstimator
from blackbox_anon.estimators.problem import BlackBoxProblem


class SPSAGC(AbstractPairedEstimator):
    r"""SPSA-GC: the mean of several pairs, corrected by Nesterov's momentum.

    .. math:: m_k = \beta m_{k-1} + \hat g_k, \qquad g_k = \hat g_k + \beta m_k

    The estimate is the direction ``g_k``, so plain descent takes the published step. A step costs
    ``2 * num_directions`` queries per sample. Directions are segmented uniform, not signs.

    Args:
        radius: Perturbation radius ``c_1`` at the first step, in parameter units.
        radius_decay: Exponent of the power law by which the radius shrinks.
        seed: Seed of the directions, 0 or more.
        num_directions: Pairs per step.
        momentum: ``beta``, in ``[0, 1)``.

    Logs:
        ``dead_pairs``, ``dead_share``, ``dropped_share``, ``pixel_difference``, ``gradient_norm``
        (of the mean before correction), ``radius``, as :class:`SPSA` does.

    Raises:
        ValueError: If an argument is out of its range.

    Reference:
        "BlackVIP: Black-Box Visual Prompting for Robust Transfer Learning", CVPR 2023; values as
        in the configurations its authors published.
    """

    velocity: Tensor

    def __init__(
        self,
        radius: float = 0.005,
        radius_decay: float = 0.2,
        *,
        seed: int = 0,
        num_directions: int = 5,
        momentum: float = 0.9,
    ) -> None:
        super().__init__(radius, radius_decay, seed=seed, num_directions=num_directions)
        require(momentum=(momentum, 0 <= momentum < 1, "in [0, 1)"))
        self.momentum = momentum
        self.register_buffer("velocity", torch.zeros(0))

    @override
    def allocate(self, num_parameters: int) -> None:
        require_same_size(len(self.velocity), num_parameters)
        if len(self.velocity) == 0:
            self.velocity = self.velocity.new_zeros(num_parameters)

    @override
    def reset(self) -> None:
        super().reset()
        self.velocity.zero_()

    @override
    @torch.no_grad()
    def forward(self, theta: Tensor, problem: BlackBoxProblem) -> Estimate:
        require_allocated(theta, len(self.velocity))
        plain, alive = self._estimate(theta, problem)
        corrected = torch.where(alive, self._correct(plain.gradient, alive), 0.0)
        return replace(plain, gradient=corrected)

    @override
    def _draw(self, size: int, step: int) -> Tensor:
        return segmented_uniform(size, self.seed, step)

    def _correct(self, gradient: Tensor, alive: Tensor) -> Tensor:
        """Nesterov's direction; a step without any difference leaves the momentum as it is."""
        velocity = self.momentum * self.velocity.to(gradient) + gradient
        self.velocity.copy_(torch.where(alive, velocity.to(self.velocity), self.velocity))
        return gradient + self.momentum * velocity
