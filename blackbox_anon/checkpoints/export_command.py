"""``blackbox-anon export``: from a checkpoint to a folder that can be passed on."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from blackbox_anon.checkpoints.checkpoint_io import AtomicCheckpointIO
from blackbox_anon.checkpoints.description import KEY
from blackbox_anon.checkpoints.export import export_anonymizer
from blackbox_anon.checkpoints.export_at_end import results_beside
from blackbox_anon.errors import BlackboxAnonError, CheckpointError, WeightsNotFoundError


def main(args: Sequence[str]) -> None:
    """Parse the command's arguments and export.

    Raises:
        BlackboxAnonError: If the checkpoint cannot be read or exported, or the folder exists.
    """
    parser = argparse.ArgumentParser(prog="blackbox-anon export", description=__doc__)
    parser.add_argument("--ckpt", type=Path, required=True, help="checkpoint of a run")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--overwrite", action="store_true", help="replace the folder")
    given = parser.parse_args(args)
    if not given.ckpt.is_file():
        raise WeightsNotFoundError(
            f"`--ckpt` must be a checkpoint file; found none at {given.ckpt}"
        )
    loaded = _loaded(given.ckpt)
    logs = _log_folder(given.ckpt)
    out = export_anonymizer(
        loaded["state_dict"],
        given.out,
        description=loaded.get(KEY) or _from_config(given.ckpt, logs),
        results=results_beside(logs),
        overwrite=given.overwrite,
    )
    sys.stdout.write(f"{out}: use it as `weights: {out}`\n")


def _loaded(path: Path) -> dict[str, Any]:
    loaded = AtomicCheckpointIO().load_checkpoint(path)
    if not isinstance(loaded, dict) or "state_dict" not in loaded:
        raise CheckpointError(f"`--ckpt` must be a checkpoint that a run wrote; {path} is not")
    return loaded


def _log_folder(checkpoint: Path) -> Path:
    return next((p for p in checkpoint.parents if (p / "config.yaml").is_file()), checkpoint.parent)


def _from_config(checkpoint: Path, logs: Path) -> dict[str, Any]:
    """Describe a checkpoint of an earlier release by the config beside it."""
    path = logs / "config.yaml"
    if not path.is_file():
        msg = f"`--ckpt` must say which run wrote it, or lie beside its config.yaml; {checkpoint}"
        raise BlackboxAnonError(f"{msg} does neither")
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {"config": config, "hides": [], "versions": {}}
