"""Load and save weights without pickle: safetensors, Lightning checkpoints, shipped files."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from blackbox_anon.errors import WeightsNotFoundError
from blackbox_anon.exported import CARD, checked_export

SHIPPED = {"peopleworld": Path(str(files("blackbox_anon") / "world" / "weights"))}

_REASON = 300  # characters of a mismatch that are shown


def weights_path(weights: str, kind: str) -> Path:
    """Resolve a name of shipped weights or a path.

    Args:
        weights: ``"peopleworld"``, or a path to a ``.safetensors`` or ``.ckpt`` file or to an
            exported folder.
        kind: ``"anonymizer"``, ``"reviewer"`` or ``"surrogate"``: which shipped file,
            which part of a checkpoint.

    Raises:
        WeightsNotFoundError: If the file does not exist.
    """
    path = SHIPPED[weights] / f"{kind}.safetensors" if weights in SHIPPED else Path(weights)
    if not path.is_file() and not (path / CARD).is_file():
        known = sorted(SHIPPED)
        msg = f"`weights` must be one of {known} or a file; found {weights!r}, no file there"
        raise WeightsNotFoundError(msg)
    return path


def load_weights(
    module: nn.Module,
    weights: str,
    *,
    kind: str,
    architecture: Mapping[str, object] | None = None,
) -> None:
    """Load weights into a module, every tensor accounted for.

    Args:
        module: What they are for.
        weights: See :func:`weights_path`.
        kind: ``"anonymizer"``, ``"reviewer"`` or ``"surrogate"``.
        architecture: The module's arguments, to compare with an exported folder's card.

    Raises:
        WeightsNotFoundError: If the file is missing, is something else, or does not fit the module.
    """
    path = weights_path(weights, kind)
    if path.is_dir():
        path = checked_export(path, kind=kind, architecture=architecture)
    state = (
        _from_safetensors(path) if path.suffix == ".safetensors" else _from_checkpoint(path, kind)
    )
    try:
        module.load_state_dict(
            {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
        )
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:_REASON]
        msg = f"`weights` must fit {type(module).__name__}; {path} does not: {reason}"
        raise WeightsNotFoundError(msg) from error


def read_checkpoint(path: Path, device: str = "cpu") -> dict[str, Any] | None:
    """Read a checkpoint that a run wrote, executing nothing; ``None`` for any other file.

    Raises:
        OSError: If the file cannot be read at all.
    """
    try:
        loaded = torch.load(path, map_location=device, weights_only=True)
    except (OSError, MemoryError):  # says nothing about what the file is
        raise
    except Exception:  # noqa: BLE001  # whatever a pickle reader raises for foreign bytes
        return None
    return loaded if isinstance(loaded, dict) and "state_dict" in loaded else None


def save_weights(module: nn.Module, path: Path) -> None:
    """Write a module's state to a safetensors file, by a temporary name and a rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".partial")
    save_file({k: v.contiguous().cpu() for k, v in module.state_dict().items()}, temporary)
    temporary.replace(path)


def _from_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        state: dict[str, Tensor] = load_file(path)
    except SafetensorError as error:
        msg = f"`weights` must be a safetensors file; {path} is something else: {error}"
        raise WeightsNotFoundError(msg) from error
    return state


def _from_checkpoint(path: Path, kind: str) -> dict[str, Tensor]:
    loaded = read_checkpoint(path)
    if loaded is None:
        msg = f"`weights` must be a checkpoint written by a run; {path} is something else"
        raise WeightsNotFoundError(msg)
    prefix = f"{kind}."
    state = loaded["state_dict"].items()
    found = {k.removeprefix(prefix): v for k, v in state if k.startswith(prefix)}
    if not found:
        raise WeightsNotFoundError(f"`weights` must hold the part {kind!r}; {path} does not")
    return found
