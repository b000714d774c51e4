"""Stop asking once the objectives have settled."""

import math
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info
from typing_extensions import override

from blackbox_anon.arguments import require

_WATCHED = ("train/utility_loss", "train/privacy_loss")


class StopWhenSettled(Callback):
    """Ends a run when neither objective has gained anything for ``patience`` steps.

    Each step's utility and privacy losses, noisy as they are, enter a moving average. An average
    that falls below its best by ``min_gain`` of that best is a gain. Steps, not queries, are
    counted; a run that is stopped validates and saves as one that ends. :class:`TailAverage` does
    not average a run that is stopped: it cannot know beforehand where the tail begins.

    Args:
        patience: Steps without a gain in either objective.
        min_gain: Least relative fall that counts, in ``[0, 1)``.
        smoothing: Decay of the moving averages, in ``[0, 1)``.
        min_steps: Steps before the run may end.

    Raises:
        ValueError: If an argument is out of its range.

    Reference:
        "Early stopping criteria based on the stabilization of the optimization trajectory", Sec.
        4.5 of "When Visual Privacy Protection Meets Multimodal Large Language Models", IJCV 2026,
        which gives no rule.
    """

    def __init__(
        self,
        *,
        patience: int = 50,
        min_gain: float = 0.02,
        smoothing: float = 0.95,
        min_steps: int = 50,
    ) -> None:
        require(
            patience=(patience, patience >= 1, "1 or more"),
            min_gain=(min_gain, 0 <= min_gain < 1, "in [0, 1)"),
            smoothing=(smoothing, 0 <= smoothing < 1, "in [0, 1)"),
            min_steps=(min_steps, min_steps >= 0, "0 or more"),
        )
        self.patience, self.min_gain = patience, min_gain
        self.smoothing, self.min_steps = smoothing, min_steps
        self.averages: list[float] = []
        self.best = [math.inf] * len(_WATCHED)
        self.waited = self.steps = 0

    @override
    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,  # Lightning's signature
    ) -> None:
        scalars: dict[str, torch.Tensor] = getattr(pl_module, "scalars", {})
        if any(name not in scalars for name in _WATCHED):
            return
        # Every rank must come to the same decision, or the others wait for it forever.
        local = torch.stack([scalars[name].to(trainer.strategy.root_device) for name in _WATCHED])
        means = trainer.strategy.reduce(local.double(), reduce_op="mean").tolist()
        if self.settled(means):
            trainer.should_stop = True
            rank_zero_info(
                f"Stopped after {self.steps} steps: no objective fell by {self.min_gain:.1%} "
                f"within {self.patience} steps"
            )

    def settled(self, losses: list[float]) -> bool:
        """Take in a step's losses and say whether the run may end."""
        self.steps += 1
        old = self.averages or losses
        pairs = zip(old, losses, strict=True)
        self.averages = [self.smoothing * a + (1 - self.smoothing) * b for a, b in pairs]
        gained = False
        for index, average in enumerate(self.averages):
            if average < self.best[index] * (1 - self.min_gain):  # losses are not negative
                self.best[index], gained = average, True
        self.waited = 0 if gained else self.waited + 1
        return self.steps >= self.min_steps and self.waited >= self.patience

    @override
    def state_dict(self) -> dict[str, Any]:
        return {
            "averages": self.averages,
            "best": self.best,
            "waited": self.waited,
            "steps": self.steps,
        }

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.averages, self.best = list(state_dict["averages"]), list(state_dict["best"])
        self.waited, self.steps = state_dict["waited"], state_dict["steps"]
