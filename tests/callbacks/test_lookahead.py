from pathlib import Path

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer

from blackbox_anon.callbacks import Lookahead
from blackbox_anon.errors import BlackboxAnonError
from blackbox_anon.tasks.parameters import flatten
from tests.callbacks.iterates import Iterates
from tests.tasks.parts import make_data, make_task, make_trainer


def test_the_run_goes_on_from_the_mean(tmp_path: Path) -> None:
    task, before, after = make_task(), Iterates(), Iterates()
    make_trainer(tmp_path, callbacks=[before, Lookahead(2), after]).fit(task, make_data())
    assert len(before.seen) == 3
    assert after.seen[0].equal(before.seen[0])
    torch.testing.assert_close(after.seen[1], (before.seen[0] + before.seen[1]) / 2)
    assert not after.seen[1].equal(before.seen[1])
    assert after.seen[2].equal(before.seen[2])  # the next mean is not complete
    assert flatten(task.trained).equal(after.seen[2])


def test_a_mean_of_one_changes_nothing(tmp_path: Path) -> None:
    plain, averaged = make_task(), make_task()
    averaged.load_state_dict(plain.state_dict())
    for task, callbacks in ((plain, []), (averaged, [Lookahead(1)])):
        make_trainer(tmp_path, callbacks=callbacks).fit(task, make_data())
    assert flatten(averaged.trained).equal(flatten(plain.trained))


def test_a_mean_that_was_begun_goes_on_after_a_checkpoint() -> None:
    first, second = Lookahead(5), Lookahead(5)
    first.mean, first.count = torch.arange(3.0), 4
    second.load_state_dict(first.state_dict())
    assert second.count == 4
    assert torch.equal(second.mean, torch.arange(3.0))  # type: ignore[arg-type]  # set above


def test_less_than_one_is_refused() -> None:
    with pytest.raises(ValueError, match="`every` must be 1 or more; found 0"):
        Lookahead(0)


def test_another_task_is_refused() -> None:
    with pytest.raises(BlackboxAnonError, match="Lookahead needs a BlackBoxAnonymization"):
        Lookahead().on_train_batch_end(Trainer(logger=False), LightningModule(), None, None, 0)
