"""Leave the anonymizer ready for use when a run ends."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

from blackbox_anon.anonymizers import UNetAnonymizer
from blackbox_anon.checkpoints.description import KEY, describe, progress
from blackbox_anon.checkpoints.export import export_anonymizer
from blackbox_anon.checkpoints.log_files import log_folder

FOLDER = "anonymizer"


class ExportAtEnd(Callback):
    """Describes the run in its checkpoints, and exports the anonymizer to ``<logs>/anonymizer``.

    Args:
        config: The run's parsed config, as plain values.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config

    @override
    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint[KEY] = describe(trainer, self.config) | {"progress": progress(pl_module)}

    @override
    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        anonymizer = getattr(pl_module, "anonymizer", None)
        if not trainer.is_global_zero or type(anonymizer) is not UNetAnonymizer:
            return
        logs = log_folder(trainer)
        export_anonymizer(
            pl_module.state_dict(),
            logs / FOLDER,
            description=describe(trainer, self.config) | {"progress": progress(pl_module)},
            overwrite=True,
        )


def results_beside(logs: Path) -> dict[str, Any] | None:
    """Return what a test of the run wrote to its log folder, if there was one."""
    path = logs / "results.json"
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
