"""Let the way back to the raw picture point, and pay only to learn where that is wrong."""

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.arguments import require
from blackbox_anon.estimators.abstract import AbstractEstimator, Estimate
from blackbox_anon.estimators.problem import BlackBoxProblem
from blackbox_anon.estimators.wrapping import AbstractWrappingEstimator


class FidelityGuided(AbstractWrappingEstimator):
    r"""Guides another estimator by the distance between anonymized and raw frames.

    A zeroth-order estimate is nearly all noise, and blind where it does not search: a handful of
    numbers is paid for, and thousands are wanted. One thing is known of every black box for
    nothing: it answers on raw frames. So the loss is split,
    :math:`L = w\,d + (L - w\,d)`, with :math:`d` the mean absolute difference to the raw frames.
    The first part is differentiated, without noise; the second is left to the wrapped estimator:

    .. math:: g = w\,\nabla d(\theta) + \rho\,\hat\nabla(L - w\,d)(\theta)

    With ``correction`` :math:`\rho = 1` the distance is a control variate: where the wrapped
    estimator is unbiased, so is the sum, and it leaves no trace but less variance. In directions
    that are not searched, and as far as :math:`\rho` is below 1, the step keeps to the raw picture:
    what hides nothing is not changed, whether or not a query has told.

    On the embedded world, at anonymizers along runs, the distance's gradient and that of the black
    box had a cosine of 0.1 to 0.75 and a ratio of 0.6 to 2.2; a paid step's cosine was below 0.2.

    Wrap :class:`SkipWhilePrivate` around this, not this around it.

    Args:
        estimator: Estimates the gradient of the rest.
        weight: Factor ``w``: nats for a mean absolute difference of 1, 0 or more.
        correction: Factor ``rho`` of the wrapped estimate, in ``[0, 1]``.
        limit: Bound on the length of the correction in lengths of the guide's part, ``None`` for
            none. Where answers are few or hang on a few samples, the paid part is longer than the
            guide and nearly all noise; bounded, it still turns the step, and does not drown the
            guide.
        share: Share of a batch's samples, in turn, whose distance is differentiated, in ``(0, 1]``.
            It hardly differs between samples.

    Logs:
        Those of the wrapped estimator; ``gradient_norm`` of the sum, ``prior_norm`` and
        ``correction_norm`` of its parts, and ``distance`` (mean, in ``[0, 1]``).

    Raises:
        ValueError: If an argument is out of its range, or the problem has no raw frames.

    Reference:
        Guiding directions: Maheswaranathan et al., "Guided evolutionary strategies", ICML 2019;
        here the guide is a distance and no model.
    """

    step: Tensor

    def __init__(
        self,
        estimator: AbstractEstimator,
        *,
        weight: float = 1.7,
        correction: float = 1.0,
        limit: float | None = None,
        share: float = 0.25,
    ) -> None:
        super().__init__(estimator)
        require(
            weight=(weight, weight >= 0, "0 or more"),
            correction=(correction, 0 <= correction <= 1, "in [0, 1]"),
            limit=(limit, limit is None or limit > 0, "positive or None"),
            share=(share, 0 < share <= 1, "in (0, 1]"),
        )
        self.weight, self.correction, self.share = weight, correction, share
        self.limit = limit
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    @override
    def reset(self) -> None:
        self.step.zero_()
        super().reset()

    @override
    def forward(self, theta: Tensor, problem: BlackBoxProblem) -> Estimate:
        heard: list[_Heard] = []
        later = problem.later(lambda: self._distance(theta, problem))
        estimate = self.estimator(theta, self._rest(problem, heard.append))
        distance, gradient = (problem.mean_over_ranks(found) for found in later())
        accounted = _mean(heard, problem, estimate.loss)
        prior, rest = self.weight * gradient, self.correction * estimate.gradient
        if self.limit is not None:
            bound = self.limit * torch.linalg.vector_norm(prior)
            rest = rest * (bound / torch.linalg.vector_norm(rest).clamp_min(1e-30)).clamp_max(1.0)
        self.step += 1
        return Estimate(
            gradient=prior + rest,
            loss=estimate.loss + accounted,
            queries=estimate.queries,
            logs=estimate.logs
            | {
                "gradient_norm": torch.linalg.vector_norm(prior + rest),
                "prior_norm": torch.linalg.vector_norm(prior),
                "correction_norm": torch.linalg.vector_norm(rest),
                "distance": distance,
            },
        )

    def _rest(self, problem: BlackBoxProblem, hear: "Callable[[_Heard], None]") -> BlackBoxProblem:
        """Return the problem whose loss is what the distance does not account for."""
        raw, subset, parts = _raw(problem), problem.subset, problem.parts
        heard = _Heard(len(raw))
        hear(heard)

        def losses(frames: Tensor) -> Tensor:
            accounted = problem.later(lambda: self.weight * distances(frames, raw))
            found = problem.ask(frames)
            heard.add(found, accounted().to(found))
            return found - accounted().to(found)

        return replace(
            problem,
            losses=losses,
            subset=None if subset is None else lambda chosen: self._rest(subset(chosen), hear),
            parts=None if parts is None else lambda: (self._rest(part, hear) for part in parts()),
        )

    def _distance(self, theta: Tensor, problem: BlackBoxProblem) -> tuple[Tensor, Tensor]:
        """Return the mean distance of the samples whose turn it is, and its gradient."""
        raw = _raw(problem)
        count = math.ceil(self.share * len(raw))
        chosen = (int(self.step) * count + torch.arange(count, device=theta.device)) % len(raw)
        with torch.enable_grad():
            parameters = theta.detach().clone().requires_grad_()
            some = problem.some(parameters, chosen)
            distance = distances(some, raw[chosen]).mean()
            (gradient,) = torch.autograd.grad(distance, parameters)
        return distance.detach(), gradient


class _Heard:
    """What was said of a batch, or of a part of it, version by version.

    Args:
        batch: Samples ``b`` in it.
    """

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self._losses: list[Tensor] = []
        self._accounted: list[Tensor] = []

    def add(self, losses: Tensor, accounted: Tensor) -> None:
        """Take ``n`` versions, shape ``(n * b,)`` each."""
        self._losses.append(losses.view(-1, self._batch))
        self._accounted.append(accounted.view(-1, self._batch))

    def sums(self) -> Tensor | None:
        """Return what was accounted for samples that were answered in full, and their number."""
        if not self._losses:
            return None
        answered = torch.cat(self._losses).isfinite().all(0)
        accounted = torch.cat(self._accounted)
        total = torch.where(answered, accounted, 0.0).sum()
        return torch.stack([total, (answered.sum() * len(accounted)).to(total)])


def distances(frames: Tensor, raw: Tensor) -> Tensor:
    """Return the mean absolute difference of each sample of each version to its raw frames.

    Args:
        frames: ``n`` versions of the batch, shape ``(n * B, ..., 3, H, W)``.
        raw: Shape ``(B, ..., 3, H, W)``.

    Returns:
        Shape ``(n * B,)``.

    Example:
        >>> distances(torch.ones(4, 3, 2, 2), torch.tensor([0.5, 1.0]).view(2, 1, 1, 1))
        tensor([0.5000, 0.0000, 0.5000, 0.0000])
    """
    versions = frames.view(-1, *raw.shape[:1], *frames.shape[1:])
    apart = (versions - raw).flatten(2)
    lengths: Tensor = torch.linalg.vector_norm(apart, ord=1, dim=2)
    return lengths.flatten() / apart.shape[2]


def _mean(heard: list[_Heard], problem: BlackBoxProblem, like: Tensor) -> Tensor:
    """Return the mean of what was accounted for, over samples that were answered in full."""
    sums = like.new_zeros(2)
    for one in heard:
        found = one.sums()
        if found is not None:
            sums += found.to(sums)
    total, count = problem.mean_over_ranks(sums)
    mean: Tensor = total / count.clamp_min(1e-12)
    return mean


def _raw(problem: BlackBoxProblem) -> Tensor:
    if problem.raw is None:
        msg = "`problem.raw` must be the frames before they are anonymized; found None"
        raise ValueError(msg)
    return problem.raw
