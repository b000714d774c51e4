from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from blackbox_anon.callbacks import CollapseGuard
from blackbox_anon.errors import CollapseError
from blackbox_anon.estimators import SPSA
from tests.tasks.parts import make_data, make_task, make_trainer

HEALTHY = {
    "train/output_std": 0.2,
    "train/input_std": 0.25,
    "train/utility_gradient_norm": 1.0,
    "train/privacy_gradient_norm": 1.0,
    "train/utility_score": 0.9,
}


class Run:
    """As much of a trainer and a task as the guard reads."""

    def __init__(self, folder: Path, guard: CollapseGuard, chance: float = 0.1) -> None:
        self.guard, self.step = guard, 0
        self.saved: list[str] = []
        self.module = SimpleNamespace(chance_score=chance, steps=0, scalars={})
        self.trainer = SimpleNamespace(
            log_dir=str(folder),
            default_root_dir=str(folder),
            global_step=0,
            save_checkpoint=self._save,
            strategy=SimpleNamespace(
                root_device=torch.device("cpu"),
                reduce=lambda values, reduce_op: values,  # noqa: ARG005  # one rank
            ),
        )

    def _save(self, path: str, weights_only: bool) -> None:
        assert not weights_only  # said, or Lightning remarks on it
        Path(path).write_bytes(b"checkpoint")
        self.saved.append(path)

    def steps(self, count: int, **changed: float) -> None:
        metrics = {**HEALTHY, **{f"train/{name}": value for name, value in changed.items()}}
        for _ in range(count):
            self.module.steps += 1
            self.module.scalars = {k: torch.tensor(v) for k, v in metrics.items()}
            self.guard.on_train_batch_end(self.trainer, self.module, None, None, 0)  # type: ignore[arg-type]  # stand-ins


SIGNS: list[tuple[dict[str, float], str]] = [
    ({"output_std": 1e-4}, "The output is almost constant"),
    ({"utility_gradient_norm": 0.0, "privacy_gradient_norm": 1e-9}, "Both gradients have vanished"),
    ({"utility_score": 0.1}, "Utility fell to chance"),
]


def test_steps_without_a_score_say_nothing_about_utility(tmp_path: Path) -> None:
    run = Run(tmp_path, CollapseGuard(patience=3, smoothing=0.0))
    run.steps(2)
    run.steps(5, utility_score=float("nan"))
    assert run.guard.score == pytest.approx(0.9)
    with pytest.raises(CollapseError, match="Utility fell to chance"):
        run.steps(5, utility_score=0.1)


@pytest.mark.parametrize(("sick", "reason"), SIGNS)
def test_collapse_stops_with_reason_and_checkpoint(
    sick: dict[str, float], reason: str, tmp_path: Path
) -> None:
    run = Run(tmp_path, CollapseGuard(patience=5, every=3, smoothing=0.0))
    run.steps(4)
    with pytest.raises(CollapseError, match=f"{reason}.* for 5 steps") as caught:
        run.steps(5, **sick)
    path = Path(str(caught.value).split("Last good checkpoint: ")[1])
    assert path.is_file()
    assert path == tmp_path / "last_good.ckpt"
    assert len(run.saved) == 1, "nothing is saved once there is a sign"


@pytest.mark.parametrize(("sick", "_reason"), SIGNS)
def test_a_sign_that_passes_is_forgotten(
    sick: dict[str, float], _reason: str, tmp_path: Path
) -> None:
    run = Run(tmp_path, CollapseGuard(patience=5, smoothing=0.0))
    for _ in range(3):
        run.steps(4, **sick)
        run.steps(1)


def test_one_vanished_gradient_is_healthy(tmp_path: Path) -> None:
    Run(tmp_path, CollapseGuard(patience=2)).steps(9, utility_gradient_norm=0.0)


def test_a_run_that_never_was_above_chance_is_not_stopped(tmp_path: Path) -> None:
    Run(tmp_path, CollapseGuard(patience=2)).steps(9, utility_score=0.1)
    Run(tmp_path, CollapseGuard(patience=2), chance=float("-inf")).steps(9, utility_score=-3.0)


def test_two_classes_can_collapse_too(tmp_path: Path) -> None:
    run = Run(tmp_path, CollapseGuard(patience=3, smoothing=0.0), chance=0.5)
    run.steps(2)
    with pytest.raises(CollapseError, match="chance"):
        run.steps(3, utility_score=0.5)


def test_without_a_checkpoint_it_says_so(tmp_path: Path) -> None:
    run = Run(tmp_path, CollapseGuard(patience=1))
    with pytest.raises(CollapseError, match="none was saved before the collapse"):
        run.steps(1, output_std=0.0)


def test_state_survives_a_checkpoint(tmp_path: Path) -> None:
    first = CollapseGuard(patience=2, every=1, smoothing=0.0)
    Run(tmp_path, first).steps(1)
    torch.save(first.state_dict(), tmp_path / "state")
    second = CollapseGuard(patience=2, smoothing=0.0)
    second.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    with pytest.raises(CollapseError, match=r"last_good\.ckpt"):
        Run(tmp_path, second).steps(2, utility_score=0.0)


def test_a_sign_lasts_over_a_checkpoint(tmp_path: Path) -> None:
    first, second = CollapseGuard(patience=3), CollapseGuard(patience=3)
    Run(tmp_path, first).steps(2, output_std=0.0)
    second.load_state_dict(first.state_dict())
    with pytest.raises(CollapseError, match="almost constant"):
        Run(tmp_path, second).steps(1, output_std=0.0)


def test_a_healthy_run_is_left_alone(tmp_path: Path) -> None:
    guard = CollapseGuard(patience=1, every=2)
    task = make_task()
    make_trainer(tmp_path, callbacks=[guard]).fit(task, make_data())
    assert guard.last_good == str(tmp_path / "last_good.ckpt")
    saved: dict[str, Any] = torch.load(guard.last_good, weights_only=True)
    assert saved["state_dict"]["steps"] == 2


def test_a_real_run_with_a_constant_output_is_stopped(tmp_path: Path) -> None:
    still: dict[str, Any] = {"anonymizer_optimizer": lambda p: torch.optim.SGD(p, lr=0.0)}
    task = make_task(estimator=SPSA(1e-3), **still)
    with torch.no_grad():
        for parameter in task.trained:
            parameter.zero_()
    guard = CollapseGuard(patience=2)
    with pytest.raises(CollapseError, match="almost constant"):
        make_trainer(tmp_path, callbacks=[guard]).fit(task, make_data())
