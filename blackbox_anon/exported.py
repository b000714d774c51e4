"""An exported anonymizer: a folder of weights and a card that says what they are."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blackbox_anon.errors import WeightsNotFoundError

CARD, WEIGHTS = "card.json", "anonymizer.safetensors"
KIND = "anonymizer"


def read_card(folder: Path) -> dict[str, Any]:
    """Read what is known of exported weights.

    Raises:
        WeightsNotFoundError: If the folder has no card, or the card is something else.
    """
    path = folder / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"`weights` must be a folder that `blackbox-anon export` wrote; {path}: {error}"
        raise WeightsNotFoundError(msg) from error
    missing = {"kind", "init_args", "sha256"} - set(card if isinstance(card, dict) else ())
    if missing:
        msg = f"`weights` must be an exported folder; {path} lacks {', '.join(sorted(missing))}"
        raise WeightsNotFoundError(msg)
    found: dict[str, Any] = card
    return found


def checked_export(
    folder: Path, *, kind: str, architecture: Mapping[str, object] | None = None
) -> Path:
    """Return the weights of an exported folder, once they are what its card says.

    Args:
        folder: What ``blackbox-anon export`` wrote.
        kind: What is to be loaded; only anonymizers are exported.
        architecture: The arguments of the module to load into; ``None`` compares none.

    Raises:
        WeightsNotFoundError: If the card is another kind's or another architecture's, or the
            weights are not those that the card was written for.
    """
    card = read_card(folder)
    if card["kind"] != kind:
        msg = f"`weights` must be a {kind}'s; {folder} is of the kind {card['kind']!r}"
        raise WeightsNotFoundError(msg)
    made = card["init_args"]
    other = {k: v for k, v in (architecture or {}).items() if made.get(k) != v}
    if other:
        differs = ", ".join(f"{k}={made.get(k)!r} and not {v!r}" for k, v in other.items())
        raise WeightsNotFoundError(f"`weights` must fit the anonymizer; {folder} needs {differs}")
    path = folder / WEIGHTS
    digest = weights_digest(path) if path.is_file() else None
    if digest != card["sha256"]:
        msg = f"`weights` must be those of the card; {path} has sha256 {digest}, {CARD} another"
        raise WeightsNotFoundError(msg)
    return path


def weights_digest(path: Path) -> str:
    """Return a file's SHA-256, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
