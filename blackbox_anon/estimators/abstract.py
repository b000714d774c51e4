"""The contract between an estimator and who uses its estimates."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from torch import Tensor, nn

from blackbox_anon.estimators.problem import BlackBoxProblem


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

    @property
    @abstractmethod
    def queries_per_sample(self) -> int:
        """Most queries that a step makes for each sample of the utility batch."""

    @abstractmethod
    def forward(self, theta: Tensor, problem: BlackBoxProblem) -> Estimate:
        """Estimate the gradient at ``theta`` and advance the step counter by one.

        Args:
            theta: Current trained parameters, flat, shape ``(P,)``. Left bitwise unchanged.
            problem: The batch: how to anonymize it, and how to ask the black box.

        Returns:
            The estimate; nothing in it requires grad.

        Raises:
            TooFewPairsError: See :attr:`BlackBoxProblem.min_valid_share`. As with any error of the
                black box, the step is not counted, and a second call asks the same questions.
        """

    def heed(self, active: Tensor) -> None:
        """Hear which objective the step went down. The task calls it after each step.

        Most estimators do not care; :class:`SkipWhilePrivate` does.

        Args:
            active: Index of the active objective, a scalar: 0 utility, 1 privacy.
        """

    @abstractmethod
    def reset(self) -> None:
        """Forget history and step count."""
