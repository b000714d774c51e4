"""A test names its judge, counts a sample once, and leaves training alone."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from blackbox_anon.judges import (
    AbstractJudge,
    CoTrainedReviewer,
    RawClassifier,
    RetrainedClassifier,
)
from blackbox_anon.metrics.functional import class_mean_average_precision, class_mean_precision
from blackbox_anon.tasks import ActionRecognition
from blackbox_anon.tasks.privacy_test import PrivacyTest, received
from blackbox_anon.tasks.results import write_results
from blackbox_anon.world import PeopleWorld
from tests.tasks.parts import make_data, make_task, make_trainer

JUDGES: list[AbstractJudge] = [
    RetrainedClassifier(steps=2),
    RawClassifier(steps=2),
    CoTrainedReviewer(),
]


def run_test(task: ActionRecognition, folder: Path) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in make_trainer(folder).test(task, make_data(test_clips=6), verbose=False):
        found |= part
    return found


def privacy_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results.json").read_text())["privacy"]
    return found


@pytest.mark.parametrize("judge", JUDGES, ids=lambda judge: judge.name)
def test_results_are_named_by_their_judge(judge: AbstractJudge, tmp_path: Path) -> None:
    task = make_task(privacy_judge=judge)
    found = run_test(task, tmp_path)
    names = {f"test/cmap_ap_{judge.name}", f"test/class_mean_precision_{judge.name}"}
    assert {name for name in found if "cmap" in name or "precision" in name} == {
        *names,
        "test/cmap_ap_chance",
    }
    assert found["test/cmap_ap_chance"] == pytest.approx(privacy_of(tmp_path)["chance_ap"])
    assert {"test/top1", "test/top5", "test/utility_loss", "test/utility_score"} <= found.keys()
    assert found["test/top1"] == found["test/utility_score"]
    written, privacy = json.loads((tmp_path / "results.json").read_text()), privacy_of(tmp_path)
    assert privacy["judge"] == judge.name
    assert privacy["samples"] == 6
    assert privacy["cmap_ap"] == pytest.approx(found[f"test/cmap_ap_{judge.name}"])
    low, high = privacy["cmap_ap_interval95"]
    assert low <= privacy["cmap_ap"] <= high
    assert privacy["threshold"] == 0.5
    assert list(privacy["per_attribute"]) == list(PeopleWorld.attributes)
    assert written["task"] == "ActionRecognition"
    assert written["utility"]["top1"] == found["test/top1"]


def test_the_reviewers_numbers_are_the_pure_functions(tmp_path: Path) -> None:
    task = make_task(privacy_judge=CoTrainedReviewer())
    found = run_test(task, tmp_path)
    task.eval()
    logits, attributes = [], []
    with torch.no_grad():
        for batch in make_data(test_clips=6).test_dataloader()[1]:
            logits.append(task.reviewer(received(task, batch["frames"])))
            attributes.append(batch["attributes"])
    scores, targets = torch.cat(logits), torch.cat(attributes)
    ap = class_mean_average_precision(scores, targets)
    assert found["test/cmap_ap_reviewer"] == pytest.approx(float(ap), abs=1e-6)
    precision = class_mean_precision(scores.sigmoid(), targets)
    assert found["test/class_mean_precision_reviewer"] == pytest.approx(float(precision), abs=1e-6)


def test_the_judge_is_in_no_checkpoint_and_training_needs_none(tmp_path: Path) -> None:
    class Refuses(RetrainedClassifier):
        def prepare(self, case: object) -> torch.nn.Module:
            raise AssertionError(case)

    task = make_task(privacy_judge=Refuses())
    trainer = make_trainer(tmp_path, limit_val_batches=1.0)
    trainer.fit(task, make_data())
    names = list(task.state_dict())
    run_test(make_task(), tmp_path)
    judged = make_task()
    run_test(judged, tmp_path)
    assert list(judged.state_dict()) == names
    with pytest.raises(AssertionError):
        run_test(task, tmp_path)


def test_a_test_leaves_the_task_as_it_was(tmp_path: Path) -> None:
    task = make_task()
    before = {k: v.clone() for k, v in task.state_dict().items() if "evaluation" not in k}
    first, second = run_test(task, tmp_path), run_test(task, tmp_path)
    for name, tensor in before.items():
        assert torch.equal(tensor, task.state_dict()[name]), name
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert second[name] == value or math.isnan(value)


def test_what_a_service_receives_is_8_bit(tmp_path: Path) -> None:
    task = make_task()
    make_trainer(tmp_path).validate(task, make_data(), verbose=False)
    steps = received(task, torch.rand(2, 3, 32, 32)) * 255
    torch.testing.assert_close(steps, steps.round())


def test_the_strict_judge_needs_training_data(tmp_path: Path) -> None:
    loaders = make_data().test_dataloader()
    task = make_task(classes=list(PeopleWorld.classes))
    with pytest.raises(ValueError, match="`privacy_judge` needs a data module"):
        make_trainer(tmp_path).test(task, loaders, verbose=False)
    reviewed = make_task(classes=list(PeopleWorld.classes), privacy_judge=CoTrainedReviewer())
    assert make_trainer(tmp_path).test(reviewed, loaders, verbose=False)


def test_utility_alone_can_be_run_test(tmp_path: Path) -> None:
    task = make_task(classes=list(PeopleWorld.classes))
    [found] = make_trainer(tmp_path).test(task, make_data().test_dataloader()[0], verbose=False)
    assert "test/top1" in found
    assert json.loads((tmp_path / "results.json").read_text())["privacy"] is None


def test_the_strictest_judge_is_the_default() -> None:
    assert isinstance(make_task(privacy_judge=None).privacy_judge, RetrainedClassifier)


def test_what_does_not_occur_is_null(tmp_path: Path) -> None:
    test = PrivacyTest(CoTrainedReviewer(), 2)
    for metric in (test.average_precision, test.precision):
        metric.update(torch.rand(4, 2) / 2, torch.zeros(4, 2))
    write_results(
        make_trained(tmp_path), utility={}, privacy=test.result(["a17_color", "a4_gender"])
    )
    found = json.loads((tmp_path / "results.json").read_text())["privacy"]
    assert found["cmap_ap"] is None
    assert found["cmap_ap_interval95"] == [None, None]
    assert found["chance_ap"] is None
    assert found["absent_attributes"] == ["a17_color", "a4_gender"]
    assert found["class_mean_precision"] == 0  # never predicted counts as 0
    assert found["per_attribute"]["a4_gender"] == {"ap": None, "precision": None, "chance": None}


def make_trained(folder: Path) -> ActionRecognition:
    """A task whose trainer is known."""
    task = make_task()
    make_trainer(folder).validate(task, make_data(), verbose=False)
    return task
