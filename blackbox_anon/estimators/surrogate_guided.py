"""Let a local model that learns the black box's answers point, and pay to keep it honest."""

import copy
import math
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional
from torch.optim.adam import adam
from typing_extensions import override

from blackbox_anon.arguments import require
from blackbox_anon.estimators.abstract import AbstractEstimator, Estimate
from blackbox_anon.estimators.problem import Asked, BlackBoxProblem
from blackbox_anon.estimators.wrapping import AbstractWrappingEstimator
from blackbox_anon.surrogates import AbstractSurrogate

_BETAS, _EPS = (0.9, 0.999), 1e-8


class SurrogateGuided(AbstractWrappingEstimator):
    r"""Guides another estimator by the gradient of a local model that learns from every answer.

    A handful of numbers a step is all that queries tell of a gradient in thousands of dimensions.
    But whoever trains an anonymizer knows the task: there are raw frames with labels, and a small
    model that answers as the black box does on most of them costs no query. What it does not know
    is how the black box takes anonymized frames, and that is what every paid answer tells: the
    surrogate learns, after each step, to give each version that was asked about the loss it was
    found to have. So the step is

    .. math:: g = w\,\nabla S(\theta) + \hat\nabla L(\theta)

    with ``S`` the surrogate's cross-entropy on the batch, backpropagated through surrogate and
    anonymizer, and the wrapped estimate, which no surrogate can mislead. No query is added.

    The surrogate is told a loss and not the answer, so any estimator and any scorer will do whose
    loss is a cross-entropy :math:`L = -\log p`: with ``q`` what it gives to the right class, it
    goes down the cross-entropy between ``q`` and :math:`e^{-L}`, by Adam. A query that failed tells
    it nothing. On several processes all learn from all answers, and stay equal.

    Wrap :class:`SkipWhilePrivate` around this, not this around it.

    Args:
        estimator: Estimates the gradient from queries, such as :class:`FidelityGuided`.
        surrogate: The local model. One that was never trained points nowhere at first.
        weight: Factor ``w``, 0 or more.
        lr: Learning rate of the surrogate, 0 or more; with 0 it stays as it is.
        share: Share of a batch's samples, in turn, whose surrogate loss is differentiated, in
            ``(0, 1]``.

    Logs:
        Those of the wrapped estimator; ``gradient_norm`` of the sum, ``surrogate_norm`` of the
        surrogate's part, ``surrogate_loss`` (``S``, in nats) and ``surrogate_misfit``, the mean
        Kullback-Leibler divergence of its ``q`` from the answers, in nats, before it learned them.

    Raises:
        ValueError: If an argument is out of its range, or the problem is none of as many classes as
            the surrogate knows.

    Reference:
        Guiding directions from a surrogate: Maheswaranathan et al., "Guided evolutionary
        strategies", ICML 2019. Learning a black box from its answers: Papernot et al., "Practical
        black-box attacks against machine learning", ASIACCS 2017; here from none but those that the
        estimator pays for anyway.
    """

    step: Tensor
    moments: Tensor

    def __init__(
        self,
        estimator: AbstractEstimator,
        surrogate: AbstractSurrogate,
        *,
        weight: float = 1.0,
        lr: float = 1e-3,
        share: float = 1.0,
    ) -> None:
        super().__init__(estimator)
        require(
            weight=(weight, weight >= 0, "0 or more"),
            lr=(lr, lr >= 0, "0 or more"),
            share=(share, 0 < share <= 1, "in (0, 1]"),
        )
        self.weight, self.lr, self.share = weight, lr, share
        self.surrogate = surrogate.eval().requires_grad_(requires_grad=False)
        self._start = copy.deepcopy(surrogate.state_dict())
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        weights = torch.nn.utils.parameters_to_vector(surrogate.parameters())
        self.register_buffer("moments", torch.zeros_like(weights).repeat(2, 1))

    @override
    def reset(self) -> None:
        self.step.zero_()
        self.moments.zero_()
        self.surrogate.load_state_dict(self._start)
        super().reset()

    @override
    def forward(self, theta: Tensor, problem: BlackBoxProblem) -> Estimate:
        self._require_classes(problem)
        heard = _Heard()
        later = problem.later(lambda: self._point(theta, problem))
        estimate: Estimate = self.estimator(theta, _overheard(problem, heard))
        loss, gradient = (problem.mean_over_ranks(found) for found in later())
        misfit = self._learn(heard, problem)
        self.step += 1
        pointed = self.weight * gradient
        return replace(
            estimate,
            gradient=pointed + estimate.gradient,
            logs=estimate.logs
            | {
                "gradient_norm": torch.linalg.vector_norm(pointed + estimate.gradient),
                "surrogate_norm": torch.linalg.vector_norm(pointed),
                "surrogate_loss": loss,
                "surrogate_misfit": misfit,
            },
        )

    def _point(self, theta: Tensor, problem: BlackBoxProblem) -> tuple[Tensor, Tensor]:
        """Return the surrogate's mean loss of the samples whose turn it is, and its gradient."""
        asked = _asked(problem)
        batch = len(asked.labels)
        count = math.ceil(self.share * batch)
        chosen = (int(self.step) * count + torch.arange(count, device=theta.device)) % batch
        with torch.enable_grad():
            parameters = theta.detach().clone().requires_grad_()
            frames = problem.some(parameters, chosen)
            logits = asked.logit_scale * self.surrogate(frames.to(self.moments))
            loss = functional.cross_entropy(logits, asked.labels.to(logits.device)[chosen])
            (gradient,) = torch.autograd.grad(loss, parameters)
        return loss.detach(), gradient

    def _learn(self, heard: "_Heard", problem: BlackBoxProblem) -> Tensor:
        """Go one step down the misfit to what was answered, and return it, a scalar."""
        weights = list(self.surrogate.parameters())
        total = self.moments.new_zeros(2 + self.moments.shape[1])  # count, misfit, gradient
        frames, labels, losses = heard.answered(self.moments)
        if len(losses):
            names = [name for name, _ in self.surrogate.named_parameters()]
            with torch.enable_grad():
                copies = [part.detach().requires_grad_() for part in weights]
                logits = functional_call(
                    self.surrogate, dict(zip(names, copies, strict=True)), frames
                )
                found = misfit(_asked(problem).logit_scale * logits, labels, losses).sum()
                gradients = torch.autograd.grad(found, copies)
            total = torch.cat([part.detach().flatten() for part in (found, *gradients)])
            total = torch.cat([total.new_tensor([len(losses)]), total])
        total = problem.mean_over_ranks(total)
        mean = total[1:] / total[0].clamp_min(1e-12)
        if self.lr > 0 and total[0] > 0:
            self._descend(weights, mean[1:])
        return mean[0]

    @torch.no_grad()
    def _descend(self, weights: list[nn.Parameter], gradient: Tensor) -> None:
        def shaped(flat: Tensor) -> list[Tensor]:
            parts = flat.split([part.numel() for part in weights])
            return [part.view_as(own) for part, own in zip(parts, weights, strict=True)]

        adam(
            list[Tensor](weights),
            shaped(gradient),
            shaped(self.moments[0]),
            shaped(self.moments[1]),
            [],
            [self.step.to(gradient) for _ in weights],  # a copy of its own for each: it counts up
            amsgrad=False,
            beta1=_BETAS[0],
            beta2=_BETAS[1],
            lr=self.lr,
            weight_decay=0.0,
            eps=_EPS,
            maximize=False,
        )

    def _require_classes(self, problem: BlackBoxProblem) -> None:
        known, asked = self.surrogate.num_classes, _asked(problem)
        if len(asked.classes) != known:
            msg = (
                f"`surrogate` must know the {len(asked.classes)} classes that are asked about; "
                f"found one of {known}"
            )
            raise ValueError(msg)


def misfit(logits: Tensor, labels: Tensor, losses: Tensor) -> Tensor:
    r"""Return how far a surrogate is from the losses that the black box was found to have.

    .. math:: p \log\frac{p}{q} + (1 - p) \log\frac{1 - p}{1 - q}, \qquad p = e^{-L}

    Args:
        logits: The surrogate's, shape ``(n, K)``; ``q`` is what their softmax gives to the label.
        labels: Index of the right class, shape ``(n,)``.
        losses: The black box's cross-entropies ``L``, shape ``(n,)``, in nats.

    Returns:
        Divergences, shape ``(n,)``, in nats.

    Example:
        >>> logits, labels = torch.tensor([[0.0, 0.0], [0.0, 0.0]]), torch.tensor([0, 1])
        >>> misfit(logits, labels, torch.tensor([0.6931, 0.1]))
        tensor([0.0000, 0.3791])
    """
    right = functional.one_hot(labels, logits.shape[1]).bool()
    scores = logits.log_softmax(1)
    own, others = scores[right], scores.masked_fill(right, -math.inf).logsumexp(1)
    told = torch.exp(-losses).clamp(0, 1)
    entropy = -torch.special.xlogy(told, told) - torch.special.xlogy(1 - told, 1 - told)
    found: Tensor = -(told * own + (1 - told) * others) - entropy
    return found


class _Heard:
    """What was asked about and answered in a step, version by version."""

    def __init__(self) -> None:
        self._frames: list[Tensor] = []
        self._labels: list[Tensor] = []
        self._losses: list[Tensor] = []

    def add(self, frames: Tensor, labels: Tensor, losses: Tensor) -> None:
        """Take ``n`` versions of ``b`` samples, shape ``(n * b, ...)``, with ``b`` labels."""
        self._frames.append(frames.detach())
        self._labels.append(labels.repeat(len(frames) // len(labels)))
        self._losses.append(losses.detach())

    def answered(self, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return frames, labels and losses of the queries that did not fail."""
        if not self._losses:
            return like.new_zeros(0), like.new_zeros(0), like.new_zeros(0)
        losses = torch.cat(self._losses).to(like)
        found = losses.isfinite()
        frames, labels = torch.cat(self._frames).to(like), torch.cat(self._labels).to(like.device)
        return frames[found], labels[found], losses[found]


def _overheard(problem: BlackBoxProblem, heard: _Heard) -> BlackBoxProblem:
    """Return the same problem, whose answers are heard."""
    subset, parts, labels = problem.subset, problem.parts, _asked(problem).labels

    def losses(frames: Tensor) -> Tensor:
        found = problem.ask(frames)
        heard.add(frames, labels, found)
        return found

    return replace(
        problem,
        losses=losses,
        subset=None if subset is None else lambda chosen: _overheard(subset(chosen), heard),
        parts=None if parts is None else lambda: (_overheard(part, heard) for part in parts()),
    )


def _asked(problem: BlackBoxProblem) -> Asked:
    if problem.asked is None:
        msg = "`problem.asked` must say which classes are asked about; found None"
        raise ValueError(msg)
    return problem.asked
