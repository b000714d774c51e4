"""LightningCLI whose ``fit`` continues what the same command began."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.cli import LightningCLI
from typing_extensions import override

from blackbox_anon.checkpoints import (
    ExactResume,
    ExportAtEnd,
    decisive,
    log_folder,
    use_atomic_checkpoints,
)
from blackbox_anon.tasks.abstract import AbstractTask

Fresh = Literal["never", "if finished", "always"]


class ResumingCLI(LightningCLI):
    """The command line of runs that survive a kill.

    Every checkpoint is written by :class:`~blackbox_anon.checkpoints.AtomicCheckpointIO`, unless a
    config names another ``CheckpointIO``. ``fit`` runs with an
    :class:`~blackbox_anon.checkpoints.ExactResume`, the config's or one with its defaults, unless
    ``trainer.enable_checkpointing`` is off.

    Args:
        args: Arguments with the subcommand.
        fresh: When to begin anew although the same command ran before.
        execute: False only builds what the config says; ``args`` then have no subcommand.
    """

    def __init__(
        self, args: Sequence[str], *, fresh: Fresh = "never", execute: bool = True
    ) -> None:
        self.fresh: Fresh = fresh
        super().__init__(
            LightningModule,
            LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            auto_configure_optimizers=False,
            seed_everything_default=0,
            save_config_kwargs={"overwrite": True},
            run=execute,
            args=list(args),
        )

    @override
    def after_instantiate_classes(self) -> None:
        use_atomic_checkpoints(self.trainer)

    def fit(
        self,
        model: LightningModule,
        *,
        datamodule: LightningDataModule | None = None,
        ckpt_path: str | None = None,
        weights_only: bool | None = None,
    ) -> None:
        """Train, or go on training, or say that it is done; LightningCLI calls it for ``fit``."""
        start = ckpt_path
        resume = self._resume()
        if resume is not None:
            config = self._plain_config()
            resume.decisive = decisive(config, mllm=_identity(model))
            export = ExportAtEnd(config)
            self.trainer.callbacks += [export, resume]  # type: ignore[attr-defined]  # a list
            done = resume.finished(self.trainer)
            if done is not None and self.fresh == "never":
                _say(f"this run is finished: {done}. `--fresh` trains it anew")
                return
            start = resume.begin(self.trainer, fresh=self.fresh == "always") or ckpt_path
            _say_start(start, log_folder(self.trainer))
        self.trainer.fit(model, datamodule=datamodule, ckpt_path=start, weights_only=weights_only)

    def _resume(self) -> ExactResume | None:
        """Take the config's callback out of the trainer's, or make one; it must be the last."""
        trainer = self.trainer
        callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]  # a list
        found = [c for c in callbacks if isinstance(c, ExactResume)]
        trainer.callbacks = [c for c in callbacks if c not in found]  # type: ignore[attr-defined]  # the same
        if getattr(trainer, "fast_dev_run", False):
            return None
        if found:
            return found[0]
        wanted = self.config["fit"]["trainer"].get("enable_checkpointing") is not False
        return ExactResume() if wanted else None

    def _plain_config(self) -> dict[str, Any]:
        parser = self._parser("fit")
        text = parser.dump(self.config["fit"], skip_none=False, format="yaml")
        plain: dict[str, Any] = json.loads(json.dumps(yaml.safe_load(text)))
        return plain


def _identity(model: LightningModule) -> dict[str, Any] | None:
    """What identifies the black box; ``None`` where its class does not say more than its name."""
    if not isinstance(model, AbstractTask):
        return None
    identity = dict(model.mllm.identity)
    return identity if len(identity) > 1 else None


def _say_start(start: str | None, logs: Path) -> None:
    if start is not None:
        _say(f"goes on from {start}, logs to {logs}")


def _say(text: str) -> None:
    sys.stderr.write(f"blackbox-anon: {text}\n")
