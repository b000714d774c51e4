"""Runs of a few steps in this process, over a service in a thread of it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.rehearsal.configs import Config, write_config
from benchmarks.rehearsal.processes import Fitted
from blackbox_anon.lightning_cli import run
from blackbox_anon.mllms import HuggingFaceMLLM
from blackbox_anon.server import Running, ServiceOptions, serve
from blackbox_anon.tasks import ActionRecognition


@contextmanager
def serving(*, batch_size: int = 1, **options: object) -> Iterator[Running]:
    """Serve the shipped MLLM as ``blackbox-anon mllm-server`` does."""
    model = HuggingFaceMLLM(
        "peopleworld", dtype="float32", max_new_tokens=2, batch_size=batch_size, num_logprobs=62
    )
    given = ServiceOptions(batch_size=batch_size, **options)  # type: ignore[arg-type]  # a test's own
    with serve(model, given) as running:
        yield running


def train(config: Config, folder: Path) -> tuple[Fitted, ActionRecognition]:
    """Fit in a folder of its own, to which the config's paths are relative."""
    path = write_config(config, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["blackbox-anon"])  # Lightning warns that both are given
        cli = run(["fit", f"--config={path}", "--trainer.enable_progress_bar=false"])
    [logs] = folder.glob("runs/*/version_*")
    assert isinstance(cli.model, ActionRecognition)
    return Fitted(folder=folder, logs=logs, seconds=0.0), cli.model
