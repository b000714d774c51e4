"""Ask nothing while the answers would hardly count."""

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.estimators.abstract import AbstractEstimator, Estimate
from blackbox_anon.estimators.problem import BlackBoxProblem
from blackbox_anon.estimators.wrapping import AbstractWrappingEstimator

_PRIVACY = 1


class SkipWhilePrivate(AbstractWrappingEstimator):
    """Skips the black box at steps that are expected to go down the privacy objective.

    With the augmented Tchebycheff objective a step follows one objective, and the other enters with
    a weight of about 1e-4: while privacy is active, nearly all a utility gradient costs is for
    nothing. After such a step the wrapped estimator is left out: no query, a gradient of zeros, and
    the last known loss. The objective may turn meanwhile without being noticed, so after
    ``max_skips`` skipped steps in a row the black box is asked again.

    Args:
        estimator: Who is asked otherwise; its step count and history rest while it is skipped.
        max_skips: Most steps in a row without a query.

    Logs:
        Those of the wrapped estimator's last step, and ``skipped`` (1 if this step asked nothing).

    Raises:
        ValueError: If ``max_skips`` is below 1.

    Reference:
        Follows from Eq. 11 of "When Visual Privacy Protection Meets Multimodal Large Language
        Models", IJCV 2026; not in the paper.
    """

    private: Tensor
    skips: Tensor
    loss: Tensor

    def __init__(self, estimator: AbstractEstimator, *, max_skips: int = 4) -> None:
        super().__init__(estimator)
        if max_skips < 1:
            msg = f"`max_skips` must be 1 or more; found {max_skips}"
            raise ValueError(msg)
        self.max_skips = max_skips
        self.register_buffer("private", torch.zeros((), dtype=torch.bool))
        self.register_buffer("skips", torch.zeros((), dtype=torch.int64))
        self.register_buffer("loss", torch.full((), torch.nan))
        self._logs: dict[str, Tensor] = {}

    @override
    def heed(self, active: Tensor) -> None:
        self.private.copy_(active == _PRIVACY)
        super().heed(active)

    @override
    def reset(self) -> None:
        self.private.zero_()
        self.skips.zero_()
        self.loss.fill_(torch.nan)
        self._logs = {}
        super().reset()

    @override
    def forward(self, theta: Tensor, problem: BlackBoxProblem) -> Estimate:
        if self.private and self.loss.isfinite() and self.skips < self.max_skips:
            self.skips += 1
            logs = self._logs | {"skipped": theta.new_ones(())}
            return Estimate(
                gradient=torch.zeros_like(theta), loss=self.loss.clone(), queries=0, logs=logs
            )
        found = self.estimator(theta, problem)
        self.skips.zero_()
        self.loss.copy_(found.loss)
        self._logs = found.logs
        return Estimate(
            gradient=found.gradient,
            loss=found.loss,
            queries=found.queries,
            logs=found.logs | {"skipped": theta.new_zeros(())},
        )
