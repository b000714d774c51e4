"""The contract between an estimator, an anonymizer and a black box."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor, nn


def _identity(values: Tensor) -> Tensor:
    return values


@dataclass(frozen=True, kw_only=True)
class BlackBoxProblem:
    """One batch seen by an estimator: what it may perturb and what it may query.

    Attributes:
        anonymize: Maps parameters ``theta``, shape ``(P,)``, to the batch's anonymized frames,
            shape ``(B, ..., 3, H, W)``, in ``[0, 1]``. Differentiable in ``theta`` when grad is
            enabled, so an estimate made in the output space can be pulled back by one
            vector-Jacobian product.
        losses: Maps frames, shape ``(n * B, ..., 3, H, W)``, to the black box's loss per sample,
            shape ``(n * B,)``, in nats. ``n`` evaluations of the same batch stacked along the first
            dimension go to the MLLM as one batch and cost ``n * B`` queries. Never differentiable.
        mean_over_ranks: Averages a tensor over all processes; the identity in a single one.
    """

    anonymize: Callable[[Tensor], Tensor]
    losses: Callable[[Tensor], Tensor]
    mean_over_ranks: Callable[[Tensor], Tensor] = _identity


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A zeroth-order gradient and what the step cost.

    Attributes:
        gradient: What the scalarization receives for the utility objective, shape ``(P,)``. For the
            paper's method it is ``(1 + I_k) * g_tilde_k`` of Eq. 11.
        loss: Loss at ``theta``, a scalar: the mean over the pair, so it costs no third query.
        queries: Queries this process spent, an int.
        logs: Scalars worth drawing, by short name, such as ``indicator`` or ``dead_pair``.
    """

    gradient: Tensor
    loss: Tensor
    queries: int
    logs: dict[str, Tensor] = field(default_factory=dict)


class AbstractEstimator(nn.Module, ABC):
    """Estimates the gradient of a black-box loss in the anonymizer's parameters.

    State (a step counter, a history) lives in fixed-shape buffers and is written by :meth:`forward`
    only, so a checkpoint carries it and validation cannot touch it.
    """

    def allocate(self, num_parameters: int) -> None:
        """Give fixed-shape buffers their shape. The task calls it once, before training.

        A config cannot know the number of trained parameters, so a constructor cannot either.
        Estimators that keep no gradient have nothing to do.

        Args:
            num_parameters: Number ``P`` of trained parameters. A repeated call with the same number
                changes nothing.

        Raises:
            ValueError: If buffers of another size were allocated before.
        """

    @abstractmethod
    def forward(self, theta: Tensor, problem: BlackBoxProblem) -> Estimate:
        """Estimate the gradient at ``theta`` and advance the step counter by one.

        Args:
            theta: Current trained parameters, flat, shape ``(P,)``. Left bitwise unchanged.
            problem: The batch: how to anonymize it, and how to ask the black box.

        Returns:
            The estimate; nothing in it requires grad.
        """

    @abstractmethod
    def reset(self) -> None:
        """Forget history and step count."""
