"""Write a trained anonymizer to a folder that :class:`UNetAnonymizer` loads."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor

from blackbox_anon.checkpoints.atomic import sync_folder, write_atomically
from blackbox_anon.errors import BlackboxAnonError
from blackbox_anon.exported import CARD, KIND, WEIGHTS, weights_digest


def export_anonymizer(
    state: Mapping[str, Tensor],
    out: Path,
    *,
    description: Mapping[str, Any],
    results: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write weights and card to a new folder, which is there as a whole or not at all.

    Args:
        state: The state of a task, or of a task's checkpoint; the anonymizer's part is taken.
        out: The folder.
        description: What :func:`~blackbox_anon.checkpoints.describe` says of the run.
        results: What a test measured, if there was one.
        overwrite: Replace a folder that exists.

    Returns:
        The folder.

    Raises:
        BlackboxAnonError: If the folder exists, or the state has no anonymizer of a known class.
    """
    if out.exists() and not overwrite:
        raise BlackboxAnonError(f"`--out` must be new; {out} exists. `--overwrite` replaces it")
    prefix = f"{KIND}."
    weights = {
        k.removeprefix(prefix): v.detach().cpu().contiguous()
        for k, v in state.items()
        if k.startswith(prefix)
    }
    made = _arguments(description["config"])
    if not weights or made is None:
        raise BlackboxAnonError("`--ckpt` must hold a UNetAnonymizer, as a task's does; found none")
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # a killed export's
    write_atomically(partial / WEIGHTS, save(weights))
    card = _card(description, made, weights, weights_digest(partial / WEIGHTS), results)
    write_atomically(partial / CARD, (json.dumps(card, indent=2) + "\n").encode())
    if out.exists():
        shutil.rmtree(out)
    partial.rename(out)
    sync_folder(out.parent)
    return out


def _card(
    description: Mapping[str, Any],
    made: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    digest: str,
    results: Mapping[str, Any] | None,
) -> dict[str, Any]:
    config = description["config"]
    return {
        "kind": KIND,
        "class_path": "UNetAnonymizer",
        "init_args": dict(made),
        "parameters": sum(t.numel() for t in weights.values() if t.is_floating_point()),
        "sha256": digest,
        "hides": description["hides"],
        "trained": description.get("progress", {}),
        "seed": config.get("seed_everything"),
        "task": (config.get("model") or {}).get("class_path"),
        "data": config.get("data"),
        "results": None if results is None else dict(results),
        "versions": description["versions"],
    }


def _arguments(config: Mapping[str, Any]) -> dict[str, Any] | None:
    """Find the anonymizer's own arguments in a run's config, weights left out."""
    made = ((config.get("model") or {}).get("init_args") or {}).get(KIND) or {}
    if str(made.get("class_path")).rpartition(".")[2] != "UNetAnonymizer":
        return None
    defaults = {"encoder": "resnet34", "depth": 5, "width": 22}
    given = made.get("init_args") or {}
    return {k: given.get(k, v) for k, v in defaults.items()}
