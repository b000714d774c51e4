"""The forecast against loops, and against what a run then asks."""

from pathlib import Path
from typing import Any

import pytest

from blackbox_anon.estimators import SPSA
from blackbox_anon.ledger import Amounts, Caps
from blackbox_anon.ledger.forecast import Forecast, limited, samples_drawn
from blackbox_anon.ledger.run_length import expected_queries
from blackbox_anon.mllms import Usage
from tests.tasks.parts import RecordingMLLM, make_data, make_task, make_trainer

VALIDATED: dict[str, Any] = {"limit_val_batches": 1.0}


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("batch_size", [1, 2, 3, 7])
def test_samples_drawn_against_a_loop(batch_size: int, drop_last: bool) -> None:
    sizes = [len(range(7)[i : i + batch_size]) for i in range(0, 7, batch_size)]
    if drop_last:
        sizes = [size for size in sizes if size == batch_size]
    for batches in range(12):
        drawn = sum(sizes[i % len(sizes)] for i in range(batches))
        found = samples_drawn(batches, samples=7, batch_size=batch_size, drop_last=drop_last)
        assert found == drawn


def test_limits_are_counts_or_shares() -> None:
    assert [limited(7, limit) for limit in (None, 3, 9, 1.0, 0.5, 0)] == [7, 3, 7, 7, 3, 0]


def test_affordable_against_a_loop() -> None:
    forecast = Forecast(
        queries={"training": 40},
        rounds=4,
        worst=Usage(input_tokens=7),
        typical=(2.5, 0.5),
        price=None,
    )
    for cap in (0, 6, 7, 50, 1000):
        caps, spent = Caps(tokens=cap), Amounts(tokens=3)
        for worst in (True, False):
            needs = [3 + forecast.amounts(n, worst=worst).tokens for n in range(41)]
            expected = max((n for n, need in enumerate(needs) if need <= cap), default=0)
            assert forecast.affordable(caps, spent, worst=worst) == expected


@pytest.mark.parametrize(
    ("settings", "directions"),
    [
        (VALIDATED, 3),
        (VALIDATED | {"max_epochs": 3, "check_val_every_n_epoch": 2}, 1),
        (VALIDATED | {"max_epochs": -1, "max_steps": 8, "num_sanity_val_steps": 2}, 1),
        ({"limit_train_batches": 2}, 1),
        (VALIDATED | {"val_check_interval": 0.34}, 1),
        (VALIDATED | {"val_check_interval": 2, "max_epochs": 2}, 1),
        ({"fast_dev_run": True}, 1),
    ],
)
def test_the_forecast_is_what_the_run_then_asks(
    settings: dict[str, Any], directions: int, tmp_path: Path
) -> None:
    mllm = RecordingMLLM()
    task = make_task(mllm, estimator=SPSA(0.05, num_directions=directions))
    data, trainer = make_data(val_clips=3), make_trainer(tmp_path, **settings)
    loader = data.train_dataloader()
    next(iter(loader))
    queries, rounds = expected_queries(task, loader, data.val_dataloader()[0], trainer)
    assert mllm.queries == 0
    trainer.fit(task, data)
    assert queries["training"] == task.queries
    assert sum(queries.values()) == mllm.queries
    assert rounds == len(mllm.asked)
