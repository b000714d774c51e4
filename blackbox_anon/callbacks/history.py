"""Keep every step's scalars beside the logger's files, for figures."""

import json
import math
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from typing_extensions import override


class HistoryRecorder(Callback):
    """Append one JSON line per training step to ``history.jsonl`` in the log folder.

    Names lose their ``train/``; ``queries`` is the number of black-box queries so far, and what
    else the black box counts keeps its ``mllm/``. A batch that the task gave up leaves no line; its
    queries are in the next one. A value that a step lacks (NaN) is written as ``null``.
    """

    def __init__(self) -> None:
        self.path: Path | None = None

    @override
    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,  # Lightning's signature
    ) -> None:
        folder = Path(
            trainer.log_dir or trainer.default_root_dir
        )  # asks all ranks: before the return
        if not trainer.is_global_zero or getattr(pl_module, "skipped", False):
            return
        scalars: dict[str, Tensor] = getattr(pl_module, "scalars", {})
        row = {
            name.removeprefix("train/"): _number(float(value))
            for name, value in scalars.items()
            if name.startswith(("train/", "mllm/")) and name != "mllm/queries"
        }
        row |= {"queries": float(scalars.get("mllm/queries", 0.0))}
        self.path = folder / "history.jsonl"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def read_history(path: Path) -> dict[str, list[float]]:
    """Read a history back as one list per name, for names that every step has; ``null`` is NaN."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    names = set(rows[0]).intersection(*rows) if rows else set()
    return {name: [_read(row[name]) for row in rows] for name in sorted(names)}


def _read(value: float | None) -> float:
    return math.nan if value is None else value
