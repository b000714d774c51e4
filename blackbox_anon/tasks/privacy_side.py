"""The privacy half of a step: the reviewer learns, then tells what it still knows."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn

from blackbox_anon.tasks import parameters as flat
from blackbox_anon.tasks.abstract import AbstractTask
from blackbox_anon.tasks.ahead import Ahead, keep_training
from blackbox_anon.types import PrivacyBatch


@dataclass(frozen=True, kw_only=True)
class Privacy:
    """What a step's privacy batch gave.

    Attributes:
        loss: L_privacy, averaged over ranks, a scalar.
        gradient: ``h_k``, shape ``(P,)``.
        logs: Of the reviewer's last step.
    """

    loss: Tensor
    gradient: Tensor
    logs: dict[str, Tensor]


class PrivacySide:
    """Trains the reviewer on a privacy batch and differentiates L_privacy.

    Args:
        task: Whose anonymizer and reviewer; its optimizers are theirs, in this order.
        trained: The anonymizer's trained parameters.
        reviewer_steps: Steps of the reviewer for each of the anonymizer.
    """

    def __init__(
        self, task: AbstractTask, trained: Sequence[nn.Parameter], *, reviewer_steps: int
    ) -> None:
        self._task, self._trained, self._reviewer_steps = task, trained, reviewer_steps

    def ahead(self, batch: PrivacyBatch) -> Ahead[Privacy]:
        """Return :meth:`look` as work that can be done before its turn."""
        task, (_, optimizer) = self._task, self._optimizers()
        return Ahead(
            lambda: self.look(batch),
            keep=lambda: keep_training(task.reviewer, optimizer, task.trainer),
            device=task.device,
        )

    @torch.enable_grad()
    def look(self, batch: PrivacyBatch) -> Privacy:
        """Train the reviewer, then return L_privacy and its gradient."""
        anonymizer_optimizer, reviewer_optimizer = self._optimizers()
        anonymized = self._task(batch["frames"])  # for both parties: neither changes it
        logs = {}
        for _ in range(self._reviewer_steps):
            loss = self.step_reviewer(reviewer_optimizer, anonymized.detach(), batch)
            logs["train/reviewer_loss"] = loss
        with self._task.toggled_optimizer(anonymizer_optimizer):
            anonymizer_optimizer.zero_grad()
            loss, gradient = self.differentiate(anonymized)
        return Privacy(loss=loss, gradient=gradient, logs=logs)

    def step_reviewer(
        self, optimizer: LightningOptimizer, anonymized: Tensor, batch: PrivacyBatch
    ) -> Tensor:
        """Let the reviewer take one step and return its loss before that, a scalar."""
        with self._task.toggled_optimizer(optimizer):
            optimizer.zero_grad()
            loss = self._task.reviewer.loss(anonymized, batch["attributes"])
            self._task.manual_backward(loss)
            optimizer.step()
        return loss.detach()

    def differentiate(self, anonymized: Tensor) -> tuple[Tensor, Tensor]:
        """Return L_privacy, averaged over ranks, and its gradient ``h_k``, shape ``(P,)``."""
        loss = self._task.reviewer.privacy_loss(anonymized)
        self._task.manual_backward(loss)
        return self._task._over_ranks(loss.detach(), "mean"), flat.flat_gradient(self._trained)

    def _optimizers(self) -> list[LightningOptimizer]:
        found: list[LightningOptimizer] = self._task.optimizers()  # type: ignore[assignment]  # two, as configured
        return found
