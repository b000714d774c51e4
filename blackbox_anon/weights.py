"""Load and save weights without pickle: safetensors, Lightning checkpoints, shipped files."""

from importlib.resources import files
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from blackbox_anon.errors import WeightsNotFoundError

SHIPPED = {"peopleworld": Path(str(files("blackbox_anon") / "world" / "weights"))}


def weights_path(weights: str, kind: str) -> Path:
    """Resolve a name of shipped weights or a path.

    Args:
        weights: ``"peopleworld"``, or a path to a ``.safetensors`` or ``.ckpt`` file.
        kind: ``"anonymizer"`` or ``"reviewer"``: which shipped file, which part of a checkpoint.

    Raises:
        WeightsNotFoundError: If the file does not exist.
    """
    path = SHIPPED[weights] / f"{kind}.safetensors" if weights in SHIPPED else Path(weights)
    if not path.is_file():
        msg = f"`weights` must be one of {sorted(SHIPPED)} or a file; found {weights!r}, no file there"
        raise WeightsNotFoundError(msg)
    return path


def load_weights(module: nn.Module, weights: str, *, kind: str) -> None:
    """Load weights into a module, every tensor accounted for.

    Raises:
        WeightsNotFoundError: If the file is missing or does not fit the module.
    """
    path = weights_path(weights, kind)
    state = load_file(path) if path.suffix == ".safetensors" else _from_checkpoint(path, kind)
    try:
        module.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    except RuntimeError as error:
        msg = f"`weights` must fit {type(module).__name__}; {path} does not: {error}"
        raise WeightsNotFoundError(msg) from error


def save_weights(module: nn.Module, path: Path) -> None:
    """Write a module's state to a safetensors file, by a temporary name and a rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".partial")
    save_file({k: v.contiguous().cpu() for k, v in module.state_dict().items()}, temporary)
    temporary.replace(path)


def _from_checkpoint(path: Path, kind: str) -> dict[str, Tensor]:
    state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    prefix = f"{kind}."
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
