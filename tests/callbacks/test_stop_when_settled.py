from pathlib import Path

import pytest

from blackbox_anon.callbacks import StopWhenSettled
from tests.tasks.parts import make_data, make_task, make_trainer


def steps_until_settled(callback: StopWhenSettled, losses: list[tuple[float, float]]) -> int:
    for step, pair in enumerate(losses, 1):
        if callback.settled(list(pair)):
            return step
    return 0


def test_a_flat_run_ends_after_its_patience() -> None:
    callback = StopWhenSettled(patience=5, min_steps=0, smoothing=0.0)
    assert steps_until_settled(callback, [(1.0, 1.0)] * 20) == 6


def test_either_objective_keeps_it_going() -> None:
    falling = [(1.0, 0.9**k) for k in range(30)]
    assert steps_until_settled(StopWhenSettled(patience=5, min_steps=0), falling) == 0
    swapped = [(b, a) for a, b in falling]
    assert steps_until_settled(StopWhenSettled(patience=5, min_steps=0), swapped) == 0


def test_a_gain_below_the_least_one_does_not_count() -> None:
    slow = [(0.999**k, 1.0) for k in range(30)]
    callback = StopWhenSettled(patience=5, min_steps=0, smoothing=0.0, min_gain=0.02)
    assert steps_until_settled(callback, slow) == 6


def test_noise_is_averaged_away() -> None:
    """Falling slowly under noise ten times the fall per step."""
    noisy = [(2 - 0.02 * k + 0.2 * (-1) ** k, 1.0) for k in range(60)]
    assert steps_until_settled(StopWhenSettled(patience=20, min_steps=0), noisy) == 0


def test_it_does_not_end_before_the_least_steps() -> None:
    callback = StopWhenSettled(patience=2, min_steps=10, smoothing=0.0)
    assert steps_until_settled(callback, [(1.0, 1.0)] * 20) == 10


def test_it_goes_on_after_a_checkpoint() -> None:
    losses = [(1 + 0.5**k, 1.0) for k in range(30)]
    whole, first, second = (
        StopWhenSettled(patience=6, min_steps=0, smoothing=0.5) for _ in range(3)
    )
    end = steps_until_settled(whole, losses)
    assert end > 7
    assert steps_until_settled(first, losses[:7]) == 0
    second.load_state_dict(first.state_dict())
    assert 7 + steps_until_settled(second, losses[7:]) == end


def test_it_stops_a_run(tmp_path: Path) -> None:
    task = make_task()
    callback = StopWhenSettled(patience=1, min_gain=0.99, min_steps=0)
    make_trainer(tmp_path, callbacks=[callback]).fit(task, make_data())
    assert int(task.steps) == 2, "three batches, none counts as a gain after the first"


@pytest.mark.parametrize(
    ("argument", "value"),
    [("patience", 0), ("min_gain", 1.0), ("smoothing", 1.0), ("min_steps", -1)],
)
def test_refuses(argument: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"`{argument}` must be .*; found {value}"):
        StopWhenSettled(**{argument: value})  # type: ignore[arg-type]  # wrong on purpose
