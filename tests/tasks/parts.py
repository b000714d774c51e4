"""Small tasks on drawn people, with a black box whose loss is known."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torch.optim import SGD

from blackbox_anon.anonymizers import UNetAnonymizer
from blackbox_anon.estimators import SPSA
from blackbox_anon.judges import RetrainedClassifier
from blackbox_anon.mllms import AbstractMLLM, Response
from blackbox_anon.reviewers import AttributeReviewer
from blackbox_anon.scorers import LogprobScorer
from blackbox_anon.tasks import ActionRecognition
from blackbox_anon.world import PeopleWorld, PeopleWorldDataModule
from tests.mllms_fakes import LinearMLLM

B = 2


class RecordingMLLM(LinearMLLM):
    """Knows the actions by brightness; keeps what it was asked."""

    def __init__(self, classes: Sequence[str] = PeopleWorld.classes) -> None:
        super().__init__(classes, [8.0 * k for k in range(len(classes))])
        self.asked: list[tuple[Tensor, list[str]]] = []

    def _respond(self, frames: Tensor, prompts: Sequence[str]) -> list[Response]:
        self.asked.append((frames, list(prompts)))
        return super()._respond(frames, prompts)


def make_data(**kwargs: Any) -> PeopleWorldDataModule:  # noqa: ANN401  # the data module's own
    sizes = {"train_clips": 6, "val_clips": 2, "test_clips": 2, "clip_frames": 2, "size": 32}
    return PeopleWorldDataModule(**{**sizes, "batch_size": B, "privacy_batch_size": 4, **kwargs})


def make_parts(mllm: AbstractMLLM | None = None, seed: int = 0) -> dict[str, Any]:
    torch.manual_seed(seed)
    return {
        "anonymizer": UNetAnonymizer("tu-tf_mobilenetv3_small_minimal_100", depth=2, width=4),
        "reviewer": AttributeReviewer("test_resnet", len(PeopleWorld.attributes)),
        "mllm": mllm or RecordingMLLM(),
    }


def make_task(
    mllm: AbstractMLLM | None = None,
    seed: int = 0,
    **kwargs: Any,  # noqa: ANN401  # the task's own
) -> ActionRecognition:
    defaults = {
        "scorer": LogprobScorer(),
        "estimator": SPSA(0.05),
        "privacy_judge": RetrainedClassifier(steps=2),
        "anonymizer_optimizer": lambda p: SGD(p, lr=0.5),
    }
    return ActionRecognition(**{**make_parts(mllm, seed), **defaults, **kwargs})


def make_trainer(folder: Path, **kwargs: Any) -> Trainer:  # noqa: ANN401  # the trainer's own
    quiet: dict[str, Any] = {
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "limit_val_batches": 0,
        "max_epochs": 1,
    }
    return Trainer(default_root_dir=folder, **{**quiet, **kwargs})


def assert_same_state(first: torch.nn.Module, second: torch.nn.Module) -> None:
    assert_equal(first.state_dict(), second.state_dict())


def assert_equal(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        if isinstance(value, Mapping):
            assert_equal(value, theirs[name])
        else:
            assert torch.equal(value, theirs[name]), f"{name}: {value} and {theirs[name]}"
