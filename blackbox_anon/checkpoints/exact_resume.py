"""Leave a run at any instant, give the same command again, end with the same weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_info
from typing_extensions import override

from blackbox_anon.checkpoints.fingerprint import differences, fingerprint
from blackbox_anon.checkpoints.log_files import cut_back, log_folder, log_sizes
from blackbox_anon.checkpoints.random_state import random_state, restore_random_state
from blackbox_anon.checkpoints.run_folder import RunFolder
from blackbox_anon.checkpoints.step_boundary import before_this_batch
from blackbox_anon.checkpoints.stop_signals import StopSignals
from blackbox_anon.errors import BudgetExhaustedError, CheckpointError


class ExactResume(Callback):
    """Saves a run between steps, so that it can go on as if it had never stopped.

    Checkpoints hold all that decides the rest of the run: weights, optimizers, buffers, the other
    callbacks, the place in the data, random generators, and how long the logs were. A run that is
    killed goes on from the newest one; the steps after it are done again, ask the black box the
    same questions byte for byte (a cache answers them), and end with the same bits. SIGTERM and
    Ctrl-C end the run after the current step, with a checkpoint. So does a cap that is reached
    while a step asks the black box, as the step has changed nothing then; after other errors the
    run goes on from the checkpoint before.

    ``blackbox-anon fit`` adds this callback and continues by itself. In Python::

        resume = ExactResume(dirpath="runs/mine/resume")
        trainer = Trainer(callbacks=[resume], plugins=[AtomicCheckpointIO()])
        trainer.fit(task, data, ckpt_path=resume.begin(trainer))

    Training loaders must be resumable, as this package's are, see
    :class:`~blackbox_anon.datamodules.ResumableLoader`. On several processes the global random
    generators of all but the first are not kept.

    Args:
        every_n_steps: Steps between checkpoints.
        dirpath: Where they are kept. ``None`` is ``resume/<fingerprint of the config>`` beside the
            logger's versions (``runs/ucf/resume/...``), or in the trainer's root without a logger:
            each config has its own.
        keep: Newest checkpoints to keep; the older ones serve if the newest is damaged.
        resume: Go on from what is found; otherwise it is removed when the run begins.

    Raises:
        ValueError: If a number is less than one.
    """

    def __init__(
        self,
        *,
        every_n_steps: int = 25,
        dirpath: str | None = None,
        keep: int = 2,
        resume: bool = True,
    ) -> None:
        if every_n_steps < 1 or keep < 1:
            msg = f"`every_n_steps` and `keep` must be positive; found {every_n_steps} and {keep}"
            raise ValueError(msg)
        self.every_n_steps, self.dirpath, self.keep = every_n_steps, dirpath, keep
        self.resume = resume
        self.decisive: Mapping[str, Any] = {}
        """What decides the run's weights, see :func:`~blackbox_anon.checkpoints.decisive`."""
        self._folder: RunFolder | None = None
        self._signals = StopSignals()
        self._due = self._saving = False
        self._last_step = 0
        self._sizes: dict[str, int] = {}
        self._random: dict[str, Any] | None = None
        self._before: dict[str, Any] = {}  # the random state at the start of the step

    def folder(self, trainer: Trainer) -> RunFolder:
        """Return the run's folder."""
        if self._folder is None:
            self._folder = RunFolder(Path(self.dirpath or _default_folder(trainer, self.decisive)))
        return self._folder

    def finished(self, trainer: Trainer) -> Path | None:
        """Return where a finished run of this config logged, if it is still there."""
        record = self.folder(trainer).record() or {}
        logs = Path(record.get("log_dir") or ".")
        return logs if record.get("finished") and logs.is_dir() else None

    def begin(self, trainer: Trainer, *, fresh: bool = False) -> str | None:
        """Prepare the folders of a run that begins or goes on; call it before ``trainer.fit``.

        A logger goes on in the folder where the run began, and logs go back to the checkpoint.

        Args:
            trainer: The run's trainer.
            fresh: Forget what is found.

        Returns:
            The checkpoint to go on from, for ``ckpt_path``; ``None`` if there is none.

        Raises:
            CheckpointError: If the folder is in use, is another config's, or holds nothing whole.
        """
        folder = self.folder(trainer)
        if trainer.is_global_zero:
            folder.lock()
        record = folder.record()
        if fresh or not self.resume or (record and record.get("finished")):
            record = None
        if record is None:
            if trainer.is_global_zero:
                folder.clear()
                folder.write_record(self._record(trainer))
            return None
        self._check(record)
        if isinstance(trainer.logger, TensorBoardLogger):
            trainer.logger._version = record["version"]
        found = folder.newest()
        if trainer.is_global_zero:
            cut_back(log_folder(trainer), record["logs"] if found is None else self._logged(found))
        return None if found is None else str(found)

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        others = [c for c in trainer.callbacks if c is not self]  # type: ignore[attr-defined]  # a list
        trainer.callbacks = [*others, self]  # type: ignore[attr-defined]  # theirs is done before

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._signals.install()
        # forgotten where the task asked for the length of the run before it was restored
        trainer.fit_loop._load_combined_loader_states()
        _tell_progress_bar(trainer, pl_module)

    @override
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int
    ) -> None:
        if self._random is not None and trainer.is_global_zero:
            restore_random_state(self._random)  # here, as here it was saved
        self._random = None
        self._before = random_state()
        steps = trainer.fit_loop.total_batch_idx  # all that is theirs is done, see step_boundary
        stop = trainer.strategy.reduce_boolean_decision(
            self._signals.received is not None, all=False
        )
        self._due = self._due or stop or (steps > 0 and steps % self.every_n_steps == 0)
        if self._due:
            self._save_if_new(trainer)
        if stop:
            self._signals.obey()

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._signals.restore()  # before Lightning gives back what it took

    @override
    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero and self._folder is not None:
            record = self._folder.record() or self._record(trainer)
            self._folder.write_record({**record, "finished": True})
            self._folder.keep(0)  # what the run ends with is in its other checkpoints
            self._folder.unlock()

    @override
    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        self._signals.restore()
        if isinstance(exception, BudgetExhaustedError) and getattr(pl_module, "asking", False):
            self._save_if_new(trainer)  # all processes raised it
            rank_zero_info("The run is saved: with a higher cap the same command goes on from here")
        if self._folder is not None:
            self._folder.unlock()

    @override
    def state_dict(self) -> dict[str, Any]:
        drawn = self._before if self._saving else random_state()
        return {"step": self._last_step, "random": drawn, "logs": self._sizes}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._last_step, self._random = state_dict["step"], state_dict["random"]

    @override
    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if self._saving:
            before_this_batch(checkpoint["loops"])

    def _save_if_new(self, trainer: Trainer) -> None:
        steps = trainer.fit_loop.total_batch_idx
        within = trainer.fit_loop.batch_idx > 0 or trainer.max_steps == -1
        if within and steps > self._last_step:  # else Lightning repeats an epoch
            self._save(trainer, steps)

    def _save(self, trainer: Trainer, steps: int) -> None:
        for logger in trainer.loggers:
            logger.save()
        folder = self.folder(trainer)
        self._last_step, self._sizes = steps, log_sizes(log_folder(trainer))
        self._saving = True
        try:
            trainer.save_checkpoint(folder.checkpoint(steps), weights_only=False)
        finally:
            self._saving = False
        self._due, self._sizes = False, {}
        if trainer.is_global_zero:
            folder.keep(self.keep)

    def _record(self, trainer: Trainer) -> dict[str, Any]:
        logs = log_folder(trainer)
        version = trainer.logger.version if trainer.logger is not None else None
        return {
            "fingerprint": fingerprint(self.decisive),
            "config": self.decisive,
            "log_dir": str(logs),
            "logs": log_sizes(logs),
            "version": version,
            "finished": False,
        }

    def _check(self, record: Mapping[str, Any]) -> None:
        if record["fingerprint"] == fingerprint(self.decisive):
            return
        changed = "; ".join(differences(record["config"], self.decisive))
        msg = (
            f"`dirpath` must be the folder of this run; {self.dirpath} is another's, which differs "
            f"in {changed}. Choose another folder, or start anew with `--fresh`"
        )
        raise CheckpointError(msg)

    def _logged(self, checkpoint: Path) -> dict[str, int]:
        loaded = torch.load(checkpoint, map_location="meta", weights_only=True)
        sizes: dict[str, int] = loaded["callbacks"][self.state_key]["logs"]
        return sizes


def _default_folder(trainer: Trainer, decisive: Mapping[str, Any]) -> Path:
    logger = trainer.logger
    root = logger.root_dir if isinstance(logger, TensorBoardLogger) else trainer.default_root_dir
    return Path(root) / "resume" / fingerprint(decisive)


def _tell_progress_bar(trainer: Trainer, task: LightningModule) -> None:
    """Give the bar its total and its start: Lightning leaves that out within an epoch."""
    bar = trainer.progress_bar_callback
    if isinstance(bar, TQDMProgressBar) and trainer.fit_loop.restarted_mid_epoch:
        bar.on_train_epoch_start(trainer, task)
        bar.train_progress_bar.initial = trainer.fit_loop.batch_idx + 1  # else the pace is too good
