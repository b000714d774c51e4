"""Where does a training step's time go, and does anything cost more than asking the black box?

``python benchmarks/step_overhead.py`` runs the training of ``demo.yaml``, or of ``--config``, with
timers around the task's own methods. A timer counts what its method does itself, without the timed
methods that it calls, so the rows add up; waiting for the workers that draw clips is in the rest.
The bar: everything else takes no longer than the black box.
"""

import argparse
import functools
import json
import platform
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.cli import LightningCLI
from typing_extensions import override

import blackbox_anon.lightning_cli  # noqa: F401  # its imports make short class names known
from blackbox_anon.allocator import keep_memory
from blackbox_anon.configs_path import find_config
from blackbox_anon.estimators import BlackBoxProblem, CriticalHistory
from blackbox_anon.tasks import ActionRecognition
from blackbox_anon.types import UtilityBatch

BLACK_BOX, HALVES = "black box query", "anonymizer, both halves"
REST = "rest (Lightning's loop, data)"


class Stopwatch:
    """Sums the time that timed calls spend outside other timed calls."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._inner = [0.0]  # time of timed calls inside each open one

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``function`` with its time counted under ``name``."""

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # passes everything through
            start = time.perf_counter()
            self._inner.append(0.0)
            try:
                return function(*args, **kwargs)
            finally:
                spent = time.perf_counter() - start
                self.seconds[name] += spent - self._inner.pop()
                self._inner[-1] += spent

        return call

    def time(self, name: str, owner: object, *methods: str) -> None:
        """Replace methods of an object or class by timed ones."""
        for method in methods:
            setattr(owner, method, self.timed(name, getattr(owner, method)))


class Between(Callback):
    """Starts the clock after ``warmup`` steps and stops it after ``steps`` more."""

    def __init__(self, watch: Stopwatch, warmup: int, steps: int) -> None:
        self.watch, self.warmup, self.steps = watch, warmup, steps
        self.start = self.total = 0.0
        self.parts: dict[str, float] = {}

    @override
    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        if batch_idx + 1 == self.warmup:
            self.watch.seconds.clear()
            self.start = time.perf_counter()
        if batch_idx + 1 == self.warmup + self.steps:
            self.total = time.perf_counter() - self.start
            self.parts = dict(self.watch.seconds)


def measure(warmup: int, steps: int, folder: str, config: str = "demo.yaml") -> dict[str, Any]:
    """Run the demo's training for a few steps and return milliseconds per step by part."""
    cli = _demo(warmup + steps, folder, config)
    task = cli.model
    assert isinstance(task, ActionRecognition)
    watch = Stopwatch()
    _time_task(watch, task)
    _time_surroundings(watch, cli.trainer)
    clock = Between(watch, warmup, steps)
    cli.trainer.callbacks.append(clock)  # type: ignore[attr-defined]  # a list
    cli.trainer.fit(task, cli.datamodule)
    parts = {name: 1000 * seconds / steps for name, seconds in clock.parts.items()}
    total = 1000 * clock.total / steps
    parts[REST] = total - sum(parts.values())
    return {
        "ms_per_step": dict(sorted(parts.items(), key=lambda item: -item[1])),
        "total_ms_per_step": total,
        "outside_to_black_box": (total - parts[BLACK_BOX]) / parts[BLACK_BOX],
        "history_mb": _history_megabytes(task),
        "steps": steps,
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }


def _demo(steps: int, folder: str, config: str) -> LightningCLI:
    return LightningCLI(
        LightningModule,
        LightningDataModule,
        subclass_mode_model=True,
        subclass_mode_data=True,
        auto_configure_optimizers=False,
        save_config_callback=None,
        run=False,
        args=[
            f"--config={find_config(config)}",
            f"--trainer.limit_train_batches={steps}",
            "--trainer.limit_val_batches=0",
            "--trainer.enable_progress_bar=false",
            f"--trainer.logger.init_args.save_dir={folder}",
            f"--trainer.default_root_dir={folder}",
        ],
    )


def _time_task(watch: Stopwatch, task: ActionRecognition) -> None:
    watch.time("step glue", task, "training_step")
    watch.time("anonymizing the privacy batch", task, "forward")
    watch.time(BLACK_BOX, task.mllm, "query")
    watch.time("scoring", task, "response_losses", "response_scores")
    watch.time("encoder features", task.anonymizer, "features")
    watch.time("privacy forward and backward", task, "_privacy")
    watch.time("reviewer step", task, "_step_reviewer")
    watch.time("estimator and history", task.estimator, "forward")
    watch.time("scalarization", task.scalarization, "forward")
    watch.time("anonymizer step", task, "_step_anonymizer")
    watch.time("logging", task, "log", "log_dict", "_log_step")
    pose = task.problem

    def problem(batch: UtilityBatch) -> BlackBoxProblem:
        posed = pose(batch)
        return replace(posed, anonymize=watch.timed(HALVES, posed.anonymize))

    task.problem = problem  # type: ignore[method-assign]  # the point of a timer


def _time_surroundings(watch: Stopwatch, trainer: Trainer) -> None:
    for callback in trainer.callbacks:  # type: ignore[attr-defined]  # a list
        watch.time(f"callback {type(callback).__name__}", callback, "on_train_batch_end")
    watch.time("log files", trainer.logger, "log_metrics", "save")


def _history_megabytes(task: ActionRecognition) -> float:
    found = [m for m in task.estimator.modules() if isinstance(m, CriticalHistory)]
    gradients = [history.gradients for history in found]
    return sum(kept.numel() * kept.element_size() for kept in gradients) / 1e6


def _print(found: dict[str, Any]) -> None:
    for name, milliseconds in found["ms_per_step"].items():
        print(f"{name:36} {milliseconds:8.2f} ms {milliseconds / found['total_ms_per_step']:7.1%}")
    print(f"{'total':36} {found['total_ms_per_step']:8.2f} ms")
    print(f"everything else : black box = {found['outside_to_black_box']:.2f} (bar: 1)")
    print(f"history of gradients: {found['history_mb']:.3f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--warmup", type=int, default=10, help="steps that are not counted")
    parser.add_argument("--steps", type=int, default=60, help="steps that are")
    parser.add_argument("--config", default="demo.yaml", help="or demo_fast.yaml")
    parser.add_argument("--json", type=Path, default=None, help="also write the figures here")
    args = parser.parse_args()
    keep_memory()  # as the command line does
    with tempfile.TemporaryDirectory() as folder:
        found = measure(args.warmup, args.steps, folder, args.config)
    _print(found)
    text = json.dumps(found, indent=2)
    if args.json is None:
        print(text)
    else:
        args.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
