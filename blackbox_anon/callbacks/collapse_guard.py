"""Stop a run that collapsed, say why, and leave the last good checkpoint."""

import math
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

from blackbox_anon.errors import CollapseError


class CollapseGuard(Callback):
    """Watches three signs of collapse; one that lasts ``patience`` steps stops the run.

    A constant output (its spatial standard deviation falls below ``min_contrast`` of the input's),
    vanished gradients (both norms below ``min_gradient``), and a utility score at chance although
    it was clearly above before. A state with none of them is saved every ``every`` steps as
    ``last_good.ckpt``, which the error names. A batch that the task gave up is no step here.

    Args:
        patience: Steps a sign must last.
        every: Steps between checkpoints of a healthy state.
        min_contrast: Smallest healthy share of the input's contrast.
        min_gradient: Smallest healthy gradient norm.
        chance_margin: A smoothed score below ``chance * (1 + chance_margin)`` is at chance.
        smoothing: Decay of the score's moving average.
    """

    def __init__(
        self,
        *,
        patience: int = 20,
        every: int = 50,
        min_contrast: float = 0.05,
        min_gradient: float = 1e-6,
        chance_margin: float = 0.25,
        smoothing: float = 0.95,
    ) -> None:
        self.patience, self.every = patience, every
        self.min_contrast, self.min_gradient = min_contrast, min_gradient
        self.chance_margin, self.smoothing = chance_margin, smoothing
        self.lasting: dict[str, int] = {}
        self.score: float | None = None
        self.was_above = False
        self.last_good: str | None = None
        self._last_saved = 0

    @override
    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,  # Lightning's signature
    ) -> None:
        if getattr(pl_module, "skipped", False):
            return  # what it logged is the step before
        scalars: dict[str, torch.Tensor] = getattr(pl_module, "scalars", {})
        found = [scalars.get(name) for name in _WATCHED]
        if any(value is None for value in found):
            return
        # Every rank must come to the same decision: saving a checkpoint waits for all of them.
        local = torch.stack(
            [v.to(trainer.strategy.root_device, torch.float64) for v in found if v is not None]
        )
        known = ~local.isnan()  # a rank whose calls all failed has no score
        both = torch.stack([torch.where(known, local, 0.0), known.to(local.dtype)])
        sums, counts = trainer.strategy.reduce(both, reduce_op="mean")
        metrics = dict(zip(_WATCHED, (sums / counts).tolist(), strict=True))
        chance = float(getattr(pl_module, "chance_score", float("-inf")))
        signs = self._signs(metrics, chance)
        self.lasting = {sign: self.lasting.get(sign, 0) + 1 for sign in signs}
        for sign, steps in self.lasting.items():
            if steps >= self.patience:
                saved = self.last_good or "none was saved before the collapse"
                raise CollapseError(f"{sign} for {steps} steps. Last good checkpoint: {saved}")
        step = int(getattr(pl_module, "steps", trainer.global_step))
        if not signs and step - self._last_saved >= self.every:
            self._save(trainer, step)

    def _signs(self, metrics: dict[str, float], chance: float) -> list[str]:
        signs = []
        contrast = metrics["train/output_std"] / max(metrics["train/input_std"], 1e-12)
        if contrast < self.min_contrast:
            signs.append(
                f"The output is almost constant: contrast below {self.min_contrast:g} of input's"
            )
        norms = metrics["train/utility_gradient_norm"], metrics["train/privacy_gradient_norm"]
        if max(norms) < self.min_gradient:
            signs.append(f"Both gradients have vanished: norms below {self.min_gradient:g}")
        if self._at_chance(metrics["train/utility_score"], chance):
            signs.append(f"Utility fell to chance ({chance:.3g})")
        return signs

    def _at_chance(self, score: float, chance: float) -> bool:
        if math.isnan(score):  # nobody was asked, or nobody answered
            return False
        old = score if self.score is None else self.score
        self.score = self.smoothing * old + (1 - self.smoothing) * score
        bar = chance * (1 + self.chance_margin)
        clear = min(2 * chance, (1 + bar) / 2)  # twice chance is out of reach for two classes
        self.was_above = self.was_above or self.score > clear > 0
        return self.was_above and self.score < bar

    def _save(self, trainer: Trainer, step: int) -> None:
        folder = Path(trainer.log_dir or trainer.default_root_dir)
        self.last_good, self._last_saved = str(folder / "last_good.ckpt"), step
        trainer.save_checkpoint(self.last_good, weights_only=False)  # else Lightning says so

    @override
    def state_dict(self) -> dict[str, Any]:
        return {
            "lasting": dict(self.lasting),
            "score": self.score,
            "was_above": self.was_above,
            "last_saved": self._last_saved,
            "last_good": self.last_good,
        }

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.lasting = dict(state_dict.get("lasting", {}))  # earlier releases did not keep it
        self.score, self.was_above = state_dict["score"], state_dict["was_above"]
        self._last_saved, self.last_good = state_dict["last_saved"], state_dict["last_good"]


_WATCHED = (
    "train/output_std",
    "train/input_std",
    "train/utility_gradient_norm",
    "train/privacy_gradient_norm",
    "train/utility_score",
)
