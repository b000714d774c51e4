"""The command line: what a user types, and the one line that says what was wrong."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from lightning.pytorch.cli import LightningCLI

from blackbox_anon.cli import main
from blackbox_anon.configs_path import configs_folder, find_config, resolve_configs
from blackbox_anon.datasets import read_clip
from blackbox_anon.errors import BlackboxAnonError
from blackbox_anon.lightning_cli import run
from tests.tasks.parts import RecordingMLLM, assert_same_state

FAKE = str(Path(__file__).parent / "configs" / "fake.yaml")
pytestmark = pytest.mark.filterwarnings(
    "ignore:The dirpath has changed from:UserWarning"  # a resumed run logs to a folder of its own
)
COMMANDS = ["fit", "validate", "test", "predict"]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["blackbox-anon"])  # Lightning warns that both are given
    monkeypatch.chdir(tmp_path)


def refused(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """What ends on stderr when ``args`` are refused."""
    with pytest.raises(SystemExit) as caught:
        main(list(args))
    assert caught.value.code not in (0, None)
    message = capsys.readouterr().err
    assert "Traceback" not in message
    return message


def refused_in_short(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """The one message that ends stderr."""
    before, prefix, message = refused(capsys, *args).partition("blackbox-anon: ")
    assert prefix
    assert "rror" not in before
    assert len(message) < 1000
    return message


@pytest.mark.parametrize("args", [[], ["-h"], ["--help"]])
def test_usage(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(args)
    assert (
        "usage: blackbox-anon {fit,validate,test,predict,export,data,demo,ledger,mllm-server}"
        in capsys.readouterr().out
    )


@pytest.mark.parametrize("command", [*COMMANDS, "demo", "data", "ledger", "mllm-server"])
def test_help_of_a_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert "usage" in capsys.readouterr().out


def test_python_m_finds_the_package() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "blackbox_anon", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("usage: blackbox-anon")


def test_misspelt_key(capsys: pytest.CaptureFixture[str]) -> None:
    message = refused(capsys, "fit", "-c", FAKE, "--model.init_args.step_deacy=1")
    assert "step_deacy" in message


def test_misspelt_key_in_a_config(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("data: {init_args: {batch_sise: 2}}")
    assert "batch_sise" in refused(capsys, "fit", "-c", FAKE, "-c", "c.yaml")


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert "fitt" in refused(capsys, "fitt", "-c", FAKE)


@pytest.mark.parametrize(
    "form", [["--config", "ufc.yaml"], ["--config=ufc.yaml"], ["-c", "x/ucf.yaml"]]
)
def test_unknown_config_lists_the_installed(
    form: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    message = refused_in_short(capsys, "fit", *form)
    assert "`--config` must be a file or one of the installed configs" in message
    assert "demo.yaml" in message


def test_bare_name_is_found_from_elsewhere(tmp_path: Path) -> None:
    assert Path(find_config("demo.yaml")) == configs_folder() / "demo.yaml"
    assert not (tmp_path / "demo.yaml").exists()


def test_a_config_in_the_working_folder_wins(tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").write_text("trainer: {max_epochs: 7}")
    assert find_config("demo.yaml") == "demo.yaml"
    assert resolve_configs(["fit", "-c", "demo.yaml", "--x", "y"])[2] == "demo.yaml"


def test_a_config_with_a_folder_is_not_looked_up(tmp_path: Path) -> None:
    with pytest.raises(BlackboxAnonError, match=r"found 'configs/demo\.yaml'"):
        find_config("configs/demo.yaml")
    (tmp_path / "configs").mkdir()
    shutil.copy(configs_folder() / "demo.yaml", tmp_path / "configs")
    assert find_config("configs/demo.yaml") == "configs/demo.yaml"


def test_missing_data_root(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    data = {"class_path": "UCF101DataModule", "init_args": {"root": "no"}}
    config = yaml.safe_load(Path(FAKE).read_text()) | {"data": data}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(config))
    assert "no" in refused_in_short(capsys, "fit", "-c", "c.yaml")


def write(path: Path, kind: str) -> None:
    if kind == "garbage":
        path.write_bytes(b"garbage")
    elif kind == "foreign":
        torch.save({"weights": torch.zeros(2)}, path)
    elif kind == "other":
        torch.save({"state_dict": {"net.weight": torch.zeros(2)}, "epoch": 0}, path)


@pytest.mark.parametrize("kind", ["missing", "garbage", "foreign", "other"])
@pytest.mark.parametrize("command", ["fit", "test"])
def test_checkpoint_that_is_none(
    kind: str, command: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    write(tmp_path / "x.ckpt", kind)
    message = refused_in_short(capsys, command, "-c", FAKE, "--ckpt_path", "x.ckpt")
    assert "`--ckpt_path` must" in message


def test_checkpoint_of_another_architecture(capsys: pytest.CaptureFixture[str]) -> None:
    main(["fit", "-c", FAKE])
    [path] = Path("runs").rglob("*.ckpt")
    wider = "--model.init_args.anonymizer.init_args.width=6"
    message = refused_in_short(capsys, "test", "-c", FAKE, wider, f"--ckpt_path={path}")
    assert "`--ckpt_path` must fit the configured model" in message


def test_an_argument_out_of_range(capsys: pytest.CaptureFixture[str]) -> None:
    depth = "--model.init_args.anonymizer.init_args.depth=9"
    message = refused_in_short(capsys, "fit", "-c", FAKE, depth)
    assert message == "`depth` must be between 2 and 5; found 9\n"


def test_a_failure_policy_is_one_group_of_the_task(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = "--model.init_args.failures.max_repeats=-1"
    message = refused_in_short(capsys, "fit", "-c", FAKE, wrong)
    assert message == "`max_repeats` must be 0 or more; found -1\n"


def test_an_error_of_the_run_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ValueError("`frames` must be whole")

    monkeypatch.setattr(RecordingMLLM, "_respond", broken)
    with pytest.raises(ValueError, match="whole"):
        main(["validate", "-c", FAKE])


@pytest.mark.parametrize("kind", ["missing", "garbage", "other"])
def test_weights_that_are_none(
    kind: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    write(tmp_path / "x.ckpt", kind)
    weights = "--model.init_args.anonymizer.init_args.weights=x.ckpt"
    assert "`weights` must" in refused_in_short(capsys, "fit", "-c", FAKE, weights)


def test_16_mixed_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "lightning.pytorch.Trainer.precision", "16-mixed"
    )  # a CPU swaps it for bf16
    assert "bf16-mixed" in refused_in_short(capsys, "fit", "-c", FAKE)


def fit(*args: str) -> LightningCLI:
    return run(["fit", f"--config={FAKE}", *args])


def test_stopped_and_resumed_is_the_same_run() -> None:
    straight = fit("--trainer.max_epochs=2", "--trainer.logger.init_args.name=straight")
    fit("--trainer.logger.init_args.name=stopped")
    [path] = Path("runs/stopped").rglob("*.ckpt")
    resumed = fit("--trainer.max_epochs=2", f"--ckpt_path={path}")
    assert_same_state(straight.model, resumed.model)
    assert resumed.model.steps == 6


def test_the_command_line_wins_over_the_checkpoint() -> None:
    fit()
    [path] = Path("runs").rglob("*.ckpt")
    step_decay = "--model.init_args.step_decay=0.7"
    resumed = fit("--trainer.max_epochs=2", f"--ckpt_path={path}", step_decay)
    assert resumed.model.step_decay == 0.7


def test_predict_writes_clips_that_decode_again(tmp_path: Path) -> None:
    writer = {
        "class_path": "AnonymizedWriter",
        "init_args": {"output_dir": "anonymized", "fps": 5.0},
    }
    config = {"trainer": {"callbacks": [writer]}}
    (tmp_path / "writer.yaml").write_text(yaml.safe_dump(config))
    main(["predict", "-c", FAKE, "-c", "writer.yaml", "--return_predictions=false"])
    written = sorted(Path("anonymized").rglob("*.mp4"))
    assert [path.as_posix() for path in written] == [
        "anonymized/test/000000.mp4",
        "anonymized/test/000001.mp4",
    ]
    for path in written:
        assert read_clip(path, 2, None).shape == (2, 3, 32, 32)


@pytest.mark.parametrize(
    ("judge", "name"), [("CoTrainedReviewer", "reviewer"), ("RetrainedClassifier", "retrained")]
)
def test_one_argument_chooses_who_judges_privacy(judge: str, name: str, tmp_path: Path) -> None:
    steps = {"steps": 2} if judge == "RetrainedClassifier" else {}
    chosen = {"class_path": judge, "init_args": steps}
    config = {"model": {"init_args": {"privacy_judge": chosen}}}
    (tmp_path / "judge.yaml").write_text(yaml.safe_dump(config))
    main(["test", "-c", FAKE, "-c", "judge.yaml"])
    [file] = Path("runs").rglob("results.json")
    written = json.loads(file.read_text())
    assert written["privacy"]["judge"] == name
    assert 0 <= written["utility"]["top1"] <= written["utility"]["top5"] <= 1
