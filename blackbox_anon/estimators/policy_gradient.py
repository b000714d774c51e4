"""Reinforcement learning's estimator: the anonymizer as a policy over images."""

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.arguments import require
from blackbox_anon.estimators.abstract import Estimate
from blackbox_anon.estimators.counting import AbstractCountingEstimator
from blackbox_anon.estimators.functional import gaussian
from blackbox_anon.estimators.problem import BlackBoxProblem
from blackbox_anon.mllms.abstract import to_uint8


class PolicyGradient(AbstractCountingEstimator):
    r"""REINFORCE with a leave-one-out baseline: noisy images are actions, minus the loss is reward.

    The policy draws every pixel from a normal distribution around the anonymizer's output. Each
    clip is shown ``rollouts`` times; a rollout is as good as its loss is below the mean of the same
    clip's other rollouts.

    .. math:: g = \frac{1}{B n} \sum_{b, i} J_b^\top \frac{\epsilon_{bi}}{\sigma}
              \Bigl(L_b(x_b + \sigma \epsilon_{bi}) - \frac{1}{n - 1} \sum_{j \ne i}
              L_b(x_b + \sigma \epsilon_{bj})\Bigr)

    It is the gradient, without bias, of the loss under that noise; the black box sees the noisy
    images cut to ``[0, 1]``, which is part of what is learned about. A step costs ``rollouts``
    queries per sample. A clip with a failed rollout is left out.

    Args:
        noise: Standard deviation ``sigma`` of the pixels, in ``(0, 0.5)``.
        rollouts: Noisy versions of each clip, 2 or more.
        seed: Seed of the noise, 0 or more.

    Logs:
        ``dead_pairs`` (steps at which no clip's rollouts differed), ``dead_share``,
        ``dropped_share`` (of clips), ``pixel_difference``, ``gradient_norm``.

    Raises:
        ValueError: If an argument is out of its range.

    Reference:
        "Simple statistical gradient-following algorithms for connectionist reinforcement learning",
        Machine Learning 1992; baseline of "Buy 4 REINFORCE Samples, Get a Baseline for Free!",
        ICLR 2019 workshop. The paper compares with "RL" and does not say which.
    """

    def __init__(self, noise: float = 0.03, *, rollouts: int = 2, seed: int = 0) -> None:
        super().__init__()
        require(
            noise=(noise, 0 < noise < 0.5, "in (0, 0.5)"),
            rollouts=(rollouts, rollouts >= 2, "2 or more"),
            seed=(seed, seed >= 0, "0 or more"),
        )
        self.noise, self.rollouts, self.seed = noise, rollouts, seed

    @property
    @override
    def queries_per_sample(self) -> int:
        return self.rollouts

    @override
    def forward(self, theta: Tensor, problem: BlackBoxProblem) -> Estimate:
        step = int(self.step) + 1
        with torch.enable_grad():
            parameters = theta.detach().clone().requires_grad_()
            frames = problem.anonymize(parameters)
        with torch.no_grad():
            drawn = gaussian(self.rollouts * frames.numel(), self.seed, step)
            noise = drawn.view(self.rollouts, *frames.shape).to(frames)
            actions = (frames + self.noise * noise).clamp_(0, 1)
            losses = problem.ask(actions.flatten(0, 1))
            losses = losses.to(torch.promote_types(theta.dtype, torch.float32))
            losses = losses.view(self.rollouts, -1)
            counts = ~losses.isnan().any(0)
            losses = torch.where(counts, losses, 0.0)
            # Minus the others' mean equals this, scaled: the own loss cancels in the difference.
            advantage = (losses - losses.mean(0)) / (self.rollouts - 1) / self.noise
            shape = (self.rollouts, -1, *[1] * (frames.ndim - 1))
            vector = (advantage.view(shape).to(noise) * noise).sum(0)
        (gradient,) = torch.autograd.grad(frames, parameters, vector.to(frames.dtype))
        with torch.no_grad():
            return self._estimate(gradient, losses, counts, actions, problem)

    def _estimate(
        self,
        gradient: Tensor,
        losses: Tensor,
        counts: Tensor,
        actions: Tensor,
        problem: BlackBoxProblem,
    ) -> Estimate:
        pixels = to_uint8(actions).float()
        differs = (losses != losses[0]).any(0).to(losses)
        scalars = [losses.mean(), counts.sum().to(losses) / len(counts), differs.mean()]
        scalars.append((pixels[0] - pixels[1]).abs().mean().to(losses) / 255)
        loss, answered, differing, difference = problem.mean_over_ranks(torch.stack(scalars))
        gradient = problem.mean_over_ranks(gradient / losses.shape[1])
        if not torch.isfinite(loss):
            msg = f"`problem.losses` must be finite; found a mean of {loss.item()}"
            raise ValueError(msg)
        problem.require_valid(answered)
        gradient = gradient / answered.to(gradient)
        self.step += 1
        self.dead_pairs += (differing == 0).to(self.dead_pairs)
        return Estimate(
            gradient=gradient,
            loss=loss / answered,
            queries=losses.numel(),
            logs={
                "dead_pairs": self.dead_pairs.clone(),
                "dead_share": 1 - differing / answered,
                "dropped_share": 1 - answered,
                "pixel_difference": difference,
                "gradient_norm": torch.linalg.vector_norm(gradient),
            },
        )
