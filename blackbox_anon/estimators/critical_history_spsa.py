"""The paper's estimator: SPSA corrected by its own critical past."""

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.estimators.abstract import AbstractEstimator, Estimate
from blackbox_anon.estimators.counting import require_allocated
from blackbox_anon.estimators.critical_history import CriticalHistory, Selection
from blackbox_anon.estimators.problem import BlackBoxProblem
from blackbox_anon.estimators.spsa import SPSA


class CriticalHistorySPSA(AbstractEstimator):
    """SPSA whose direction and step size are adjusted by stored critical gradients.

    The estimate is ``(1 + I_k) * g_tilde_k``, so an optimizer with step size ``a_k`` takes the
    paper's step. It costs no query more than :class:`SPSA`. A dead step (every pair dead) has no
    direction: its gradient and indicator are zero, and nothing is stored. Nor is anything where too
    few pairs were answered. :meth:`allocate` must be called once before the first step.

    Args:
        radius: As for :class:`SPSA`.
        radius_decay: As for :class:`SPSA`.
        seed: As for :class:`SPSA`.
        num_directions: As for :class:`SPSA`; the history receives their mean.
        capacity: As for :class:`CriticalHistory`.
        decay: As for :class:`CriticalHistory`.
        mixing: As for :class:`CriticalHistory`.
        indicator: As for :class:`CriticalHistory`.
        selection: As for :class:`CriticalHistory`.
        use_direction: As for :class:`CriticalHistory`.
        use_step_size: As for :class:`CriticalHistory`.

    Logs:
        Those of :class:`SPSA`, and ``indicator`` (``I_k``), ``cosine``, ``history_age`` (mean, in
        steps), ``enhanced_norm`` (of ``g_tilde_k``).

    Raises:
        ValueError: If an argument is out of its range.

    Reference:
        Eqs. 7-10 of "When Visual Privacy Protection Meets Multimodal Large Language Models",
        IJCV 2026.
    """

    def __init__(
        self,
        radius: float = 0.005,
        radius_decay: float = 0.2,
        *,
        seed: int = 0,
        num_directions: int = 1,
        capacity: int = 10,
        decay: float = 0.5,
        mixing: float = 0.5,
        indicator: float = 0.3,
        selection: Selection = "fill_first",
        use_direction: bool = True,
        use_step_size: bool = True,
    ) -> None:
        super().__init__()
        self.spsa = SPSA(radius, radius_decay, seed=seed, num_directions=num_directions)
        self.history = CriticalHistory(
            0,
            capacity,
            decay=decay,
            mixing=mixing,
            indicator=indicator,
            selection=selection,
            use_direction=use_direction,
            use_step_size=use_step_size,
        )

    @property
    def step(self) -> Tensor:
        """Steps made so far, a scalar int64 tensor."""
        return self.spsa.step

    @property
    def dead_pairs(self) -> Tensor:
        """Dead pairs so far, a scalar int64 tensor."""
        return self.spsa.dead_pairs

    @property
    @override
    def queries_per_sample(self) -> int:
        return self.spsa.queries_per_sample

    @override
    def allocate(self, num_parameters: int) -> None:
        self.history.allocate(num_parameters)

    @override
    def reset(self) -> None:
        self.spsa.reset()
        self.history.reset()

    @override
    @torch.no_grad()
    def forward(self, theta: Tensor, problem: BlackBoxProblem) -> Estimate:
        require_allocated(theta, self.history.num_parameters)
        plain = self.spsa(theta, problem)
        enhanced = self.history(plain.gradient, int(self.step))
        return Estimate(
            gradient=(1 + enhanced.indicator) * enhanced.gradient,
            loss=plain.loss,
            queries=plain.queries,
            logs={
                **plain.logs,
                "indicator": enhanced.indicator,
                "cosine": enhanced.cosine,
                "history_age": enhanced.age,
                "enhanced_norm": torch.linalg.vector_norm(enhanced.gradient),
            },
        )
