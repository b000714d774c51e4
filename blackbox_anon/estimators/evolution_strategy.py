"""An evolution strategy that bears thousands of parameters."""

import math

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.arguments import require
from blackbox_anon.estimators.abstract import Estimate
from blackbox_anon.estimators.counting import (
    AbstractCountingEstimator,
    require_allocated,
    require_same_size,
)
from blackbox_anon.estimators.functional import gaussian
from blackbox_anon.estimators.population import evaluate_population
from blackbox_anon.estimators.problem import BlackBoxProblem


class SeparableCMAES(AbstractCountingEstimator):
    """CMA-ES with a diagonal covariance: time and memory linear in the parameters.

    A step draws ``population`` versions around the current parameters, asks for the loss of each
    and moves towards the better half. The estimate is minus that move, so plain descent with step
    size 1 takes the published step; what else moves the parameters (privacy) moves the mean. A step
    costs ``population`` queries per sample. Population size and all constants default to the
    published ones. The state lives in buffers, so a checkpoint carries it.

    Args:
        radius: First standard deviation ``sigma``, in parameter units.
        seed: Seed of the draws, 0 or more.
        population: Versions per step; 0 takes ``4 + floor(3 log P)``.

    Logs:
        ``dead_pairs`` (steps at which all versions gave one loss), ``dead_share``,
        ``dropped_share`` (of samples), ``pixel_difference``, ``gradient_norm``, ``radius``.

    Raises:
        ValueError: If an argument is out of its range.

    Reference:
        "A Simple Modification in CMA-ES Achieving Linear Time and Space Complexity", PPSN 2008;
        constants of "The CMA Evolution Strategy: A Tutorial", arXiv 1604.00772.
    """

    sigma: Tensor
    variances: Tensor
    step_path: Tensor
    shape_path: Tensor

    def __init__(self, radius: float = 0.01, *, seed: int = 0, population: int = 0) -> None:
        super().__init__()
        require(
            radius=(radius, radius > 0, "positive"),
            seed=(seed, seed >= 0, "0 or more"),
            population=(population, population == 0 or population >= 4, "0, or 4 or more"),
        )
        self.radius, self.seed, self.population = radius, seed, population
        self.register_buffer("sigma", torch.tensor(radius, dtype=torch.float64))
        for name in ("variances", "step_path", "shape_path"):
            self.register_buffer(name, torch.zeros(0))

    @property
    @override
    def queries_per_sample(self) -> int:
        return self.population or 4 + int(3 * math.log(len(self.variances)))

    @override
    def allocate(self, num_parameters: int) -> None:
        require_same_size(len(self.variances), num_parameters)
        if len(self.variances) == 0:
            self.variances = self.variances.new_ones(num_parameters)
            self.step_path = self.step_path.new_zeros(num_parameters)
            self.shape_path = self.shape_path.new_zeros(num_parameters)

    @override
    def reset(self) -> None:
        super().reset()
        self.step_path.zero_()
        self.shape_path.zero_()
        self.variances.fill_(1)
        self.sigma.fill_(self.radius)

    @override
    @torch.no_grad()
    def forward(self, theta: Tensor, problem: BlackBoxProblem) -> Estimate:
        require_allocated(theta, len(self.variances))
        step, size = int(self.step) + 1, len(theta)
        count = self.population or 4 + int(3 * math.log(size))
        drawn = gaussian(count * size, self.seed, step).view(count, size)
        shapes = drawn.to(theta) * self.variances.to(theta).sqrt()
        sigma = float(self.sigma)
        asked = evaluate_population(theta, problem, sigma * shapes)
        dead = bool((asked.losses == asked.losses[0]).all())
        self.step.fill_(step)
        self.dead_pairs.add_(int(dead))
        move = torch.zeros_like(theta) if dead else self._learn(shapes[asked.losses.argsort()])
        gradient = -sigma * move
        return Estimate(
            gradient=gradient,
            loss=asked.losses.mean(),
            queries=asked.queries,
            logs={
                "dead_pairs": self.dead_pairs.clone(),
                "dead_share": theta.new_tensor(float(dead)),
                "dropped_share": 1 - asked.answered,
                "pixel_difference": asked.pixel_difference,
                "gradient_norm": torch.linalg.vector_norm(gradient),
                "radius": theta.new_tensor(sigma),
            },
        )

    def _learn(self, ranked: Tensor) -> Tensor:
        """Take in the versions, best first, shape ``(K, P)`` in units of sigma; return the move."""
        use = _Constants(*ranked.shape)
        weights = use.weights.to(ranked)
        parents, scale = ranked[: len(weights)].to(self.variances), self.variances.clone()
        move = weights.to(parents) @ parents
        self.step_path.mul_(1 - use.c_sigma).add_(
            move / scale.sqrt(), alpha=math.sqrt(use.c_sigma * (2 - use.c_sigma) * use.mass)
        )
        length = float(self.step_path.norm()) / use.expected_norm
        fade = 1 - (1 - use.c_sigma) ** (2 * int(self.step))
        stalls = length / math.sqrt(fade) >= 1.4 + 2 / (len(scale) + 1)
        c_c, c_1, c_mu = use.c_c, use.c_1, use.c_mu
        self.shape_path.mul_(1 - c_c)
        if not stalls:
            self.shape_path.add_(move, alpha=math.sqrt(c_c * (2 - c_c) * use.mass))
        kept = 1 - c_1 - c_mu + (c_1 * c_c * (2 - c_c) if stalls else 0.0)
        rank_mu = weights.to(parents) @ parents.square()
        self.variances.copy_(kept * scale + c_1 * self.shape_path.square() + c_mu * rank_mu)
        self.sigma.mul_(math.exp(min(1.0, use.c_sigma / use.d_sigma * (length - 1))))
        return move.to(ranked)


class _Constants:
    """The published constants for ``K`` versions of ``P`` parameters."""

    def __init__(self, count: int, size: int) -> None:
        half = count // 2
        raw = math.log(half + 0.5) - torch.arange(1, half + 1, dtype=torch.float64).log()
        self.weights = raw / raw.sum()
        mass = float(1 / self.weights.square().sum())
        self.mass = mass
        self.c_sigma = (mass + 2) / (size + mass + 5)
        growth = 2 * max(0.0, math.sqrt((mass - 1) / (size + 1)) - 1)
        self.d_sigma = 1 + growth + self.c_sigma
        self.c_c = (4 + mass / size) / (size + 4 + 2 * mass / size)
        diagonal = (size + 2) / 3  # fewer entries to learn, so they may be learned faster
        self.c_1 = min(1.0, diagonal * 2 / ((size + 1.3) ** 2 + mass))
        rank_mu = diagonal * 2 * (mass - 2 + 1 / mass) / ((size + 2) ** 2 + mass)
        self.c_mu = min(1 - self.c_1, rank_mu)
        self.expected_norm = math.sqrt(size) * (1 - 1 / (4 * size) + 1 / (21 * size**2))
