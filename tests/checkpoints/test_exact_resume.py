"""A run that was stopped and given again ends as the one that was not, bit for bit."""

import json
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from blackbox_anon.checkpoints import ExactResume
from blackbox_anon.errors import CheckpointError
from tests.checkpoints.parts import AutomaticWalk, Stop, StopIn, Walk, make_trainer, run
from tests.tasks.parts import assert_same_state

SLOW = pytest.mark.slow
SETTINGS: dict[str, dict[str, Any]] = {
    "epochs": {},
    "steps": {"max_epochs": -1, "max_steps": 28},
    "no-validation": {"limit_val_batches": 0},
    "no-validation-steps": {"limit_val_batches": 0, "max_epochs": -1, "max_steps": 28},
    "often-validated": {"val_check_interval": 2},
    "every-other-epoch": {"check_val_every_n_epoch": 2},
    "between-epochs": {"check_val_every_n_epoch": None, "val_check_interval": 7},
    "one-batch-epochs": {"limit_train_batches": 1, "max_epochs": 9, "limit_val_batches": 0},
    "workers": {"workers": 1},
    "automatic": {"kind": AutomaticWalk},
}


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard would draw."""
    events = EventAccumulator(str(folder / "run" / "version_0"))
    events.Reload()
    return {
        tag: sorted((event.step, event.value) for event in events.Scalars(tag))
        for tag in events.Tags()["scalars"]
    }


def stopped_and_resumed(folder: Path, stops: list[int], **settings: Any) -> Walk:  # noqa: ANN401  # run's own
    for step in stops:
        with pytest.raises(Stop):
            run(folder, stop=StopIn(step), **settings)
    return run(folder, **settings)


def logs(folder: Path) -> Path:
    return folder / "run" / "version_0"


def assert_same_run(whole: Walk, part: Walk, folder: Path) -> None:
    """``folder`` holds ``whole`` and ``part``."""
    assert_same_state(whole, part)
    assert whole.seen[-len(part.seen) :] == part.seen
    histories = [logs(folder / name) / "history.jsonl" for name in ("whole", "part")]
    assert histories[0].read_text() == histories[1].read_text()
    assert scalars(folder / "whole") == scalars(folder / "part")
    assert not logs(folder / "part").with_name("version_1").exists()


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("every", [pytest.param(n, marks=SLOW) for n in (1, 5)] + [2])
def test_a_stopped_run_ends_as_the_uninterrupted_one(name: str, every: int, tmp_path: Path) -> None:
    settings = SETTINGS[name]
    whole = run(tmp_path / "whole", **settings)
    last = int(whole.steps)
    stops = [1, last // 2, last // 2 + 2, last]
    part = stopped_and_resumed(tmp_path / "part", stops, every=every, **settings)
    assert_same_run(whole, part, tmp_path)


@pytest.mark.filterwarnings("ignore:Using ModelCheckpoint with manual optimization:UserWarning")
@pytest.mark.filterwarnings("ignore:The dirpath has changed from:UserWarning")
def test_lightning_s_own_checkpoint_within_an_epoch_goes_on_behind_it(tmp_path: Path) -> None:
    def saver() -> ModelCheckpoint:
        return ModelCheckpoint(tmp_path / "saved", every_n_train_steps=14, save_top_k=-1)

    whole = run(tmp_path / "whole", more=[saver()])
    path = min((tmp_path / "saved").iterdir())
    part = run(tmp_path / "part", more=[saver()], ckpt_path=str(path))
    assert whole.seen[-len(part.seen) :] == part.seen
    assert part.seen[0][:2] == ("train", 2)
    assert_same_state(whole, part)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("step", [7, 10])
def test_a_signal_ends_the_run_after_the_step(number: int, step: int, tmp_path: Path) -> None:
    whole, before = run(tmp_path / "whole"), signal.getsignal(number)
    with pytest.raises(SystemExit):
        run(tmp_path / "part", stop=StopIn(step, number), every=100)
    assert signal.getsignal(number) == before
    saved = [path.name for path in (tmp_path / "part" / "run" / "resume").rglob("*.ckpt")]
    assert saved == [f"resume-step={step:08d}.ckpt"]
    assert_same_run(whole, run(tmp_path / "part", every=100), tmp_path)


def test_a_signal_in_the_last_step_lets_the_run_finish(tmp_path: Path) -> None:
    walk = run(tmp_path, stop=StopIn(15, signal.SIGTERM))
    assert walk.steps == 15


def test_only_the_newest_checkpoints_are_kept_and_none_of_a_finished_run(tmp_path: Path) -> None:
    with pytest.raises(Stop):
        run(tmp_path, stop=StopIn(9), every=1)
    [folder] = (tmp_path / "run" / "resume").iterdir()
    assert sorted(path.name for path in folder.glob("*.ckpt")) == [
        "resume-step=00000007.ckpt",
        "resume-step=00000008.ckpt",
    ]
    run(tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == ["lock", "run.json"]
    assert json.loads((folder / "run.json").read_text())["finished"]


def damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "truncated":
        content = content[: len(content) // 2]
    elif how == "empty":
        content.clear()
    else:  # within a tensor, where nothing but a checksum tells
        with zipfile.ZipFile(path) as archive:
            largest = max(archive.infolist(), key=lambda part: part.file_size)
        content[largest.header_offset + largest.file_size // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["truncated", "empty", "one bit"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(how: str, tmp_path: Path) -> None:
    whole = run(tmp_path / "whole")
    with pytest.raises(Stop):
        run(tmp_path / "part", stop=StopIn(9))
    newest, older = sorted((tmp_path / "part" / "run" / "resume").rglob("*.ckpt"), reverse=True)
    damage(newest, how)
    with pytest.warns(
        UserWarning, match=f"{newest.name} is .*corrupt.*goes on from .*{older.name}"
    ):
        part = run(tmp_path / "part")
    assert_same_run(whole, part, tmp_path)


def test_nothing_is_begun_anew_where_every_checkpoint_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(Stop):
        run(tmp_path, stop=StopIn(9))
    for path in (tmp_path / "run" / "resume").rglob("*.ckpt"):
        damage(path, "truncated")
    with pytest.raises(CheckpointError, match=r"resume-step=00000008\.ckpt.*`--fresh`"):
        run(tmp_path)


def test_another_config_has_another_folder_or_is_refused(tmp_path: Path) -> None:
    resume = ExactResume(dirpath=str(tmp_path / "mine"))
    resume.decisive = {"trainer": {"max_epochs": 1}}
    resume.begin(make_trainer(tmp_path, resume))
    other = ExactResume(dirpath=str(tmp_path / "mine"))
    other.decisive = {"trainer": {"max_epochs": 2}}
    with pytest.raises(CheckpointError, match=r"trainer\.max_epochs \(1, now 2\)"):
        other.begin(make_trainer(tmp_path, other))
    assert other.begin(make_trainer(tmp_path, other), fresh=True) is None


def test_a_run_that_goes_on_is_not_begun_twice(tmp_path: Path) -> None:
    resume = ExactResume(dirpath=str(tmp_path / "mine"))
    resume.begin(make_trainer(tmp_path, resume))
    lock = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    command = [sys.executable, "-c", lock, str(tmp_path / "mine" / "lock")]
    assert b"BlockingIOError" in subprocess.run(command, capture_output=True, check=False).stderr


def test_a_progress_bar_knows_where_a_resumed_epoch_stands(tmp_path: Path) -> None:
    class Bar(TQDMProgressBar):
        """Looks at its bar when the first step is done."""

        found: tuple[int, int, int] | None = None

        def on_train_batch_end(self, *args: Any) -> None:  # noqa: ANN401  # Lightning's
            super().on_train_batch_end(*args)
            bar = self.train_progress_bar
            self.found = self.found or (bar.initial, bar.n, bar.total)

    settings: dict[str, Any] = {"enable_progress_bar": True, "every": 1}
    with pytest.raises(Stop):
        run(tmp_path, stop=StopIn(9), more=[Bar()], **settings)
    bar = Bar()
    run(tmp_path, more=[bar], **settings)
    assert bar.found == (3, 4, 5)


@pytest.mark.parametrize("wrong", [{"every_n_steps": 0}, {"keep": 0}])
def test_bad_arguments(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be positive; found"):
        ExactResume(**wrong)  # type: ignore[arg-type]  # two of its arguments
