from pathlib import Path

import pytest
import torch

from blackbox_anon.callbacks import TailAverage
from blackbox_anon.errors import BlackboxAnonError
from blackbox_anon.tasks.parameters import flatten
from tests.callbacks.iterates import Iterates
from tests.tasks.parts import make_data, make_task, make_trainer


@pytest.mark.parametrize(("start", "kept"), [(0.0, 3), (0.3, 3), (0.34, 2), (0.9, 1)])
def test_the_run_ends_at_the_mean_of_its_tail(start: float, kept: int, tmp_path: Path) -> None:
    task, iterates = make_task(), Iterates()
    make_trainer(tmp_path, callbacks=[iterates, TailAverage(start)]).fit(task, make_data())
    assert len(iterates.seen) == 3
    expected = torch.stack(iterates.seen[-kept:]).mean(0)
    torch.testing.assert_close(flatten(task.trained), expected, rtol=1e-6, atol=1e-7)


def test_the_mean_goes_on_after_a_checkpoint() -> None:
    first, second = TailAverage(0.5), TailAverage(0.5)
    first.mean, first.count = torch.arange(3.0), 4
    second.load_state_dict(first.state_dict())
    assert second.count == 4
    assert torch.equal(second.mean, torch.arange(3.0))  # type: ignore[arg-type]  # set above


@pytest.mark.parametrize("limit", [{"max_steps": 4}, {"max_steps": 3}])
def test_a_run_limited_in_steps_ends_at_the_mean(limit: dict[str, int], tmp_path: Path) -> None:
    task, iterates = make_task(), Iterates()
    callbacks = [iterates, TailAverage(0.0)]
    make_trainer(tmp_path, callbacks=callbacks, **limit).fit(task, make_data())
    assert len(iterates.seen) == 2  # two optimizer steps a batch
    expected = torch.stack(iterates.seen).mean(0)
    torch.testing.assert_close(flatten(task.trained), expected, rtol=1e-6, atol=1e-7)


def test_a_run_without_end_is_refused(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, callbacks=[TailAverage()], max_epochs=-1)
    with pytest.raises(BlackboxAnonError, match="max_epochs=-1"):
        trainer.fit(make_task(), make_data())


@pytest.mark.parametrize("start", [-0.1, 1.0])
def test_a_share_out_of_range_is_refused(start: float) -> None:
    with pytest.raises(ValueError, match="start"):
        TailAverage(start)
