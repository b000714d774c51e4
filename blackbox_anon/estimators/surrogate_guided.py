"""Let a local model that learns the black box's answers point, and pay to keep it honest."""

import copy
import math
from dataclasses import replace
from typing import Self

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional
from torch.optim.adam import adam
from typing_extensions import override

from blackbox_anon.arguments import require
from blackbox_anon.estimators.abstract import AbstractEstimator, Estimate
from blackbox_anon.estimators.functional import misfit
from blackbox_anon.estimators.later import Later
from blackbox_anon.estimators.overhearing import Heard, asked_classes, overhear
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
    surrogate learns to give each version that was asked about the loss it was found to have. So
    the step is

    .. math:: g = w\,\nabla S(\theta) + \hat\nabla L(\theta)

    with ``S`` the surrogate's cross-entropy on the batch, backpropagated through surrogate and
    anonymizer, and the wrapped estimate, which no surrogate can mislead. No query is added.

    The surrogate is told a loss and not the answer, so any estimator and any scorer will do whose
    loss is a cross-entropy :math:`L = -\log p`: with ``q`` what it gives to the right class, it
    goes down the cross-entropy between ``q`` and :math:`e^{-L}`, by Adam, on the 8-bit frames that
    were sent. What a step was told is learned in the next one, while its queries are in flight, and
    counts from the one after it on. A query that failed tells nothing. On several processes all
    learn from all answers, and stay equal; a checkpoint keeps what the first of them was told last.

    Wrap :class:`SkipWhilePrivate` around this, not this around it.

    Args:
        estimator: Estimates the gradient from queries, such as :class:`FidelityGuided`.
        surrogate: The local model. One that was never trained points nowhere at first.
        weight: Factor ``w``, 0 or more.
        lr: Learning rate of the surrogate, 0 or more; with 0 it stays as it is.
        share: Share of a batch's samples, in turn, whose surrogate loss is differentiated, in
            ``(0, 1]``.
        logit_scale: Factor of the surrogate's scores inside the softmax, positive; ``None`` is the
            task's. A scorer's scores, such as cosines, may want another factor than a surrogate's.
        learn_every: The surrogate learns from what was answered about every so manieth sample of a
            batch, in turn: with 2 it takes half of the time.

    Logs:
        Those of the wrapped estimator; ``gradient_norm`` of the sum, ``surrogate_norm`` of the
        surrogate's part, ``surrogate_loss`` (``S``, in nats) and ``surrogate_misfit``, the mean
        Kullback-Leibler divergence of its ``q`` from the answers of the step before, in nats, as it
        is about to learn them (0 where there were none).

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
        logit_scale: float | None = None,
        learn_every: int = 1,
    ) -> None:
        super().__init__(estimator)
        require(
            weight=(weight, weight >= 0, "0 or more"),
            lr=(lr, lr >= 0, "0 or more"),
            share=(share, 0 < share <= 1, "in (0, 1]"),
            logit_scale=(
                logit_scale,
                logit_scale is None or logit_scale > 0,
                "positive or None",
            ),
            learn_every=(learn_every, learn_every >= 1, "1 or more"),
        )
        self.weight, self.lr, self.share = weight, lr, share
        self.logit_scale, self.learn_every = logit_scale, learn_every
        self.surrogate = surrogate.eval().requires_grad_(requires_grad=False)
        self._start = copy.deepcopy(surrogate.state_dict())
        self._told: Later[dict[str, Tensor]] = Later(dict)
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        weights = torch.nn.utils.parameters_to_vector(surrogate.parameters())
        self.register_buffer("moments", torch.zeros_like(weights).repeat(2, 1))

    @override
    def reset(self) -> None:
        self.step.zero_()
        self.moments.zero_()
        self.surrogate.load_state_dict(self._start)
        self._told = Later(dict)
        super().reset()

    @override
    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.surrogate.eval()  # no dropout, whoever trains
        return self

    def get_extra_state(self) -> dict[str, Tensor]:
        """Return the last step's answers, which are learned in the next one."""
        return self._told()

    def set_extra_state(self, state: dict[str, Tensor]) -> None:
        """Take them back."""
        self._told = Later(state.copy)

    @override
    def forward(self, theta: Tensor, problem: BlackBoxProblem) -> Estimate:
        self._require_classes(problem)
        heard = Heard(int(self.step), self.learn_every)
        later = problem.later(lambda: (*self._point(theta, problem), self._lesson(problem)))
        estimate: Estimate = self.estimator(theta, overhear(problem, heard))
        loss, gradient, lesson = (problem.mean_over_ranks(found) for found in later())
        count, missed, slope = lesson.split([1, 1, len(lesson) - 2])
        if self.lr > 0 and count > 0:
            self._descend(slope / count)
        self.step += 1
        self._told = Later(heard.told)  # nobody needs it before the next step's queries
        pointed = self.weight * gradient
        return replace(
            estimate,
            gradient=pointed + estimate.gradient,
            logs=estimate.logs
            | {
                "gradient_norm": torch.linalg.vector_norm(pointed + estimate.gradient),
                "surrogate_norm": torch.linalg.vector_norm(pointed),
                "surrogate_loss": loss,
                "surrogate_misfit": (missed / count.clamp_min(1e-12)).squeeze(0),
            },
        )

    def _point(self, theta: Tensor, problem: BlackBoxProblem) -> tuple[Tensor, Tensor]:
        """Return the surrogate's mean loss of the samples whose turn it is, and its gradient."""
        asked = asked_classes(problem)
        batch = len(asked.labels)
        count = math.ceil(self.share * batch)
        chosen = (int(self.step) * count + torch.arange(count, device=theta.device)) % batch
        with torch.enable_grad():
            parameters = theta.detach().clone().requires_grad_()
            frames = problem.some(parameters, chosen)
            scores = self._scale(asked) * self.surrogate(frames.to(self.moments))
            loss = functional.cross_entropy(scores, asked.labels.to(scores.device)[chosen])
            (gradient,) = torch.autograd.grad(loss, parameters)
        return loss.detach(), gradient

    def _lesson(self, problem: BlackBoxProblem) -> Tensor:
        """Return number, summed misfit and its gradient of the last step's answers, in a row."""
        told = {name: kept.to(self.moments.device) for name, kept in self._told().items()}
        if not told or not len(told["losses"]):
            return self.moments.new_zeros(2 + self.moments.shape[1])
        named = self.surrogate.named_parameters()
        weights = {name: part.detach().requires_grad_() for name, part in named}
        with torch.enable_grad():
            frames = told["frames"].to(self.moments) / 255
            logits = functional_call(self.surrogate, weights, frames)
            scores = self._scale(asked_classes(problem)) * logits
            total = misfit(scores, told["labels"], told["losses"].to(scores)).sum()
            gradients = torch.autograd.grad(total, list(weights.values()))
        count = total.new_tensor(float(len(frames)))
        return torch.cat([part.detach().flatten() for part in (count, total, *gradients)])

    def _scale(self, asked: Asked) -> float:
        return asked.logit_scale if self.logit_scale is None else self.logit_scale

    @torch.no_grad()
    def _descend(self, gradient: Tensor) -> None:
        weights = list(self.surrogate.parameters())
        moved = torch.cat([part.flatten() for part in weights])
        adam(  # of one vector in one call: this holds up the step
            [moved],
            [gradient],
            [self.moments[0]],
            [self.moments[1]],
            [],
            [self.step.to(gradient)],  # a copy: it counts up
            amsgrad=False,
            beta1=_BETAS[0],
            beta2=_BETAS[1],
            lr=self.lr,
            weight_decay=0.0,
            eps=_EPS,
            maximize=False,
            fused=True,
        )
        parts = moved.split([part.numel() for part in weights])
        for own, part in zip(weights, parts, strict=True):
            own.copy_(part.view_as(own))

    def _require_classes(self, problem: BlackBoxProblem) -> None:
        known, asked = self.surrogate.num_classes, asked_classes(problem)
        if len(asked.classes) != known:
            msg = (
                f"`surrogate` must know the {len(asked.classes)} classes that are asked about; "
                f"found one of {known}"
            )
            raise ValueError(msg)
