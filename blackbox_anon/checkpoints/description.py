"""What a checkpoint says of the run that wrote it, and a card repeats."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from lightning.pytorch import LightningModule, Trainer

KEY = "blackbox_anon"
"""Where a checkpoint holds it."""
PACKAGES = ("blackbox-anon", "torch", "lightning", "segmentation-models-pytorch", "timm")


def describe(trainer: Trainer, config: Mapping[str, Any]) -> dict[str, Any]:
    """Collect a run's config, the attributes it hides, its data set's names and its packages.

    Args:
        trainer: The run's trainer.
        config: Its parsed config, as plain values.
    """
    data = getattr(trainer, "datamodule", None)
    return {
        "config": dict(config),
        "hides": list(getattr(data, "attributes", ())),
        "versions": {name: v for name in PACKAGES if (v := _version(name)) is not None},
    }


def progress(task: LightningModule) -> dict[str, int]:
    """Return how far a task was trained: the counters it has of ``steps`` and ``queries``."""
    return {k: int(v) for k, v in task.named_buffers() if k in ("steps", "queries")}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:  # run from a checkout that was never installed
        return None
