"""Write what a test found beside the logs."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from torchmetrics import Metric

from blackbox_anon.metrics import AbstractSampleMetric

FILE_NAME = "results.json"


def results_folder(trainer: Trainer) -> Path:
    """Return the log folder; it asks all processes, so all must call it."""
    return Path(trainer.log_dir or trainer.default_root_dir)


def utility_result(metrics: Mapping[str, Metric]) -> dict[str, Any]:
    """Return each metric's value with its interval; every process must call it.

    Args:
        metrics: Metrics by the names they are logged under.
    """
    found: dict[str, Any] = {}
    for name, metric in metrics.items():
        key = name.removeprefix("test/")
        found[key] = number(metric.compute().item())
        if isinstance(metric, AbstractSampleMetric):
            found[f"{key}_interval95"] = [number(bound) for bound in metric.interval()]
            found["samples"] = len(metric.gathered())
    return found


def number(value: float) -> float | None:
    """Return a number that JSON has; there is none for NaN, which means that nothing was there."""
    return None if math.isnan(value) else value


def write_results(
    task: LightningModule, *, utility: Mapping[str, Any], privacy: Mapping[str, Any] | None
) -> None:
    """Write ``results.json``; a run of ``fast_dev_run`` leaves nothing behind.

    Args:
        task: Whose test it was.
        utility: What is known of the answers.
        privacy: What the judge says; ``None`` if nothing was judged.
    """
    folder = results_folder(task.trainer)
    if not task.trainer.is_global_zero or getattr(task.trainer, "fast_dev_run", False):
        return
    folder.mkdir(parents=True, exist_ok=True)
    content = {"task": type(task).__name__, "utility": dict(utility), "privacy": privacy}
    text = json.dumps(content, indent=2, allow_nan=False)
    (folder / FILE_NAME).write_text(text + "\n", encoding="utf-8")
