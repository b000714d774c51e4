"""SPSA with gradient correction: a look-ahead momentum of averaged estimates."""

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.estimators.abstract import AbstractEstimator, BlackBoxProblem, Estimate
from blackbox_anon.estimators.functional import power_decay, segmented_uniform, spsa_gradient
from blackbox_anon.estimators.pairs import evaluate_pairs


class SPSAGC(AbstractEstimator):
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

    step: Tensor
    dead_pairs: Tensor
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
        super().__init__()
        for name, value, holds, expected in (
            ("radius", radius, radius > 0, "positive"),
            ("radius_decay", radius_decay, radius_decay >= 0, "0 or more"),
            ("seed", seed, seed >= 0, "0 or more"),
            ("num_directions", num_directions, num_directions >= 1, "1 or more"),
            ("momentum", momentum, 0 <= momentum < 1, "in [0, 1)"),
        ):
            if not holds:
                msg = f"`{name}` must be {expected}; found {value!r}"
                raise ValueError(msg)
        self.radius, self.radius_decay = radius, radius_decay
        self.seed, self.num_directions, self.momentum = seed, num_directions, momentum
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self.register_buffer("dead_pairs", torch.zeros((), dtype=torch.int64))
        self.register_buffer("velocity", torch.zeros(0))

    @property
    @override
    def queries_per_sample(self) -> int:
        return 2 * self.num_directions

    @override
    def allocate(self, num_parameters: int) -> None:
        if len(self.velocity) not in (0, num_parameters):
            msg = f"`num_parameters` must stay {len(self.velocity)}; found {num_parameters}"
            raise ValueError(msg)
        if len(self.velocity) == 0:
            self.velocity = self.velocity.new_zeros(num_parameters)

    @override
    def reset(self) -> None:
        for buffer in self.buffers():
            buffer.zero_()

    @override
    @torch.no_grad()
    def forward(self, theta: Tensor, problem: BlackBoxProblem) -> Estimate:
        if theta.shape != self.velocity.shape:
            msg = (
                f"`theta` must have the allocated shape {tuple(self.velocity.shape)}; found "
                f"{tuple(theta.shape)}; call `allocate(num_parameters)` once before training"
            )
            raise ValueError(msg)
        step = int(self.step) + 1
        radius = power_decay(self.radius, self.radius_decay, step)
        drawn = segmented_uniform(self.num_directions * len(theta), self.seed, step)
        directions = drawn.view(self.num_directions, -1).to(theta)
        pairs = evaluate_pairs(theta, problem, directions, radius)
        triples = zip(pairs.plus, pairs.minus, directions, strict=True)
        gradient = torch.stack([spsa_gradient(*triple, radius) for triple in triples]).mean(0)
        self.step.fill_(step)
        self.dead_pairs.add_(pairs.dead.sum())
        alive = pairs.differing.any()
        return Estimate(
            gradient=torch.where(alive, self._correct(gradient, alive), 0.0),
            loss=torch.cat([pairs.plus, pairs.minus]).mean(),
            queries=pairs.queries,
            logs={
                "dead_pairs": self.dead_pairs.clone(),
                "dead_share": 1 - pairs.differing.mean(),
                "dropped_share": 1 - pairs.valid.mean(),
                "pixel_difference": pairs.pixel_difference.mean(),
                "gradient_norm": torch.linalg.vector_norm(gradient),
                "radius": theta.new_tensor(radius),
            },
        )

    def _correct(self, gradient: Tensor, alive: Tensor) -> Tensor:
        """Nesterov's direction; a step without any difference leaves the momentum as it is."""
        velocity = self.momentum * self.velocity.to(gradient) + gradient
        self.velocity.copy_(torch.where(alive, velocity.to(self.velocity), self.velocity))
        return gradient + self.momentum * velocity
