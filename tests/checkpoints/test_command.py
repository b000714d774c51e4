"""``blackbox-anon fit``, given again."""

import signal
import sys
from pathlib import Path

import pytest
import torch
import yaml
from lightning.pytorch.cli import LightningCLI

from blackbox_anon.anonymizers import UNetAnonymizer
from blackbox_anon.checkpoints import AtomicCheckpointIO
from blackbox_anon.lightning_cli import run
from tests.checkpoints.parts import Stop, StopAsPlanned
from tests.tasks.parts import assert_same_state

FAKE = Path(__file__).parents[1] / "configs" / "fake.yaml"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["blackbox-anon"])  # Lightning warns that both are given
    monkeypatch.chdir(tmp_path)


def fit(*args: str, stop: int | None = None, number: int | None = None) -> LightningCLI:
    """Two epochs of three steps, saved after each; stopped in one of them."""
    resume = {"class_path": "ExactResume", "init_args": {"every_n_steps": 1}}
    callbacks = [resume, {"class_path": "HistoryRecorder"}, {"class_path": "TailAverage"}]
    killer = {"class_path": "tests.checkpoints.parts.StopAsPlanned"}
    StopAsPlanned.plan = (stop or -1, number)
    trainer = {"max_epochs": 2, "callbacks": [*callbacks, killer]}
    Path("more.yaml").write_text(yaml.safe_dump({"trainer": trainer}))
    return run(["fit", f"--config={FAKE}", "--config=more.yaml", *args])


def test_continues_finishes_and_is_finished(capsys: pytest.CaptureFixture[str]) -> None:
    whole = fit("--trainer.logger.init_args.name=whole")
    with pytest.raises(Stop):
        fit(stop=5)
    for path in Path("runs").rglob("*.ckpt"):
        torch.load(path, weights_only=True)
    part = fit()
    assert "goes on from runs/fake/resume/" in capsys.readouterr().err
    assert_same_state(whole.model, part.model)
    histories = [Path(f"runs/{n}/version_0/history.jsonl").read_text() for n in ("whole", "fake")]
    assert histories[0] == histories[1]
    assert isinstance(part.trainer.strategy.checkpoint_io, AtomicCheckpointIO)

    made = part.config["fit"]["model"]["init_args"]["anonymizer"]["init_args"]
    found = UNetAnonymizer(made["encoder"], depth=made["depth"], width=made["width"],
                           weights="runs/fake/version_0/anonymizer")  # fmt: skip
    assert_same_state(found, part.model.anonymizer)

    again = fit()
    assert "this run is finished: runs/fake/version_0" in capsys.readouterr().err
    assert again.model.steps == 0
    assert not Path("runs/fake/version_1").exists()
    assert fit("--fresh").model.steps == 6
    assert Path("runs/fake/version_1").is_dir()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_exit_codes_of_signals(number: int, code: int) -> None:
    with pytest.raises(SystemExit) as caught:
        fit(stop=2, number=number)
    assert caught.value.code == code
