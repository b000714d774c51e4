"""Runs with a black box that loses calls, and what they left."""

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, Trainer
from torch import Tensor

from blackbox_anon.tasks import ActionRecognition
from tests.tasks.parts import RecordingMLLM, make_data, make_trainer


def scores(mllm: RecordingMLLM, frames: Tensor) -> Tensor:
    """Class scores of 8-bit frames; the scorer floors log-probabilities at -20."""
    return mllm.logits(frames / 255).log_softmax(dim=-1).clamp_min(-20)


def fit(task: ActionRecognition, folder: Path, *callbacks: Callback, **data: Any) -> Trainer:  # noqa: ANN401  # the data's own
    trainer = make_trainer(folder, callbacks=list(callbacks))
    trainer.fit(task, make_data(**data))
    return trainer


def state(task: ActionRecognition, *, but: tuple[str, ...] = ()) -> dict[str, Tensor]:
    return {k: v.clone() for k, v in task.state_dict().items() if k not in but}
