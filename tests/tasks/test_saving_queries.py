"""Estimators and strategies that need more of a task than frames and losses."""

from pathlib import Path

import pytest
import torch

from blackbox_anon.estimators import (
    SPSA,
    AbstractEstimator,
    ActiveSubspaceSPSA,
    AdaptiveAllocation,
    SkipWhilePrivate,
)
from blackbox_anon.scalarizations import AugmentedTchebycheff
from blackbox_anon.scorers import CharacterNGramEncoder, RetrievalScorer
from blackbox_anon.tasks import parameters as flat
from blackbox_anon.types import UtilityBatch
from tests.tasks.parts import B, make_data, make_task, make_trainer

STEPS = 3  # batches of the data


@pytest.mark.parametrize(
    ("estimator", "per_step"),
    [
        (ActiveSubspaceSPSA(rank=2, sketches=3), 2 * B),
        (AdaptiveAllocation(SPSA(0.05)), 2 * B // 2),
        (AdaptiveAllocation(ActiveSubspaceSPSA(rank=2, sketches=3)), 2 * B // 2),
    ],
)
def test_queries_of_a_run(estimator: AbstractEstimator, per_step: int, tmp_path: Path) -> None:
    task = make_task(estimator=estimator)
    make_trainer(tmp_path).fit(task, make_data())
    assert task.queries == STEPS * per_step
    assert task.mllm.queries == STEPS * per_step


@pytest.mark.parametrize(("weights", "asked"), [((0.0, 1.0), 1), ((1.0, 0.0), STEPS)])
def test_nothing_is_asked_while_privacy_is_active(
    weights: tuple[float, float], asked: int, tmp_path: Path
) -> None:
    task = make_task(
        estimator=SkipWhilePrivate(SPSA(0.05)), scalarization=AugmentedTchebycheff(weights)
    )
    make_trainer(tmp_path).fit(task, make_data())
    assert task.steps == STEPS
    assert task.queries == asked * 2 * B


def utility_batch() -> UtilityBatch:
    batch: UtilityBatch = next(iter(make_data().train_dataloader()))[0]["utility"]
    return batch


def test_samples_are_anonymized_with_parameters_of_their_own(tmp_path: Path) -> None:
    task, batch = make_task(), utility_batch()
    make_trainer(tmp_path, max_epochs=0).fit(task, make_data())
    problem, theta = task.problem(batch), flat.flatten(task.trained)
    thetas = theta + 0.1 * torch.randn(B, len(theta))
    with torch.no_grad():
        quick = problem.each(thetas)
        slow = torch.stack([problem.anonymize(own)[i] for i, own in enumerate(thetas)])
    torch.testing.assert_close(quick, slow, rtol=1e-5, atol=1e-6)


def test_what_is_asked_is_known_and_whether_by_first_tokens(tmp_path: Path) -> None:
    batch = utility_batch()
    task = make_task()
    make_trainer(tmp_path, max_epochs=0).fit(task, make_data())
    asked = task.problem(batch).asked
    assert asked is not None
    assert list(asked.prompts) == [task.prompt] * B
    assert list(asked.classes) == task.classes
    assert torch.equal(asked.labels, batch["label"])
    assert asked.first_tokens
    retrieving = make_task(scorer=RetrievalScorer(CharacterNGramEncoder()), classes=task.classes)
    found = retrieving.asked(batch)
    assert found is not None
    assert not found.first_tokens
