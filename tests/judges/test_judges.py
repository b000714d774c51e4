"""Who sees what: the attribute is plain, hidden, or inverted."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from blackbox_anon.judges import (
    AbstractJudge,
    Case,
    CoTrainedReviewer,
    RawClassifier,
    RetrainedClassifier,
)
from blackbox_anon.metrics.functional import average_precision_per_attribute
from blackbox_anon.reviewers import AttributeReviewer, ReviewerEnsemble
from tests.judges.parts import hidden, make_case, marked
from tests.tasks.parts import assert_same_state

STEPS = 30


def precision(classifier: nn.Module, case: Case) -> float:
    frames, attributes = marked(64, seed=77)
    with torch.no_grad():
        logits = classifier(case.anonymize(frames))
    return float(average_precision_per_attribute(logits, attributes)[0])


def weights(module: nn.Module) -> Tensor:
    return parameters_to_vector(module.parameters()).detach().clone()


def negative(frames: Tensor) -> Tensor:
    """Reversible: nothing is hidden, only unlike what a raw classifier knows."""
    return 1 - frames


def test_the_retrained_classifier_sees_what_is_left() -> None:
    judge = RetrainedClassifier(steps=STEPS)
    assert precision(judge.prepare(make_case()), make_case()) > 0.95
    assert precision(judge.prepare(make_case(hidden)), make_case(hidden)) == 0.5


def test_only_the_retrained_classifier_adapts() -> None:
    case = make_case(negative)
    assert precision(RetrainedClassifier(steps=STEPS).prepare(case), case) > 0.95
    assert precision(RawClassifier(steps=STEPS).prepare(case), case) < 0.8
    raw = make_case()
    assert precision(RawClassifier(steps=STEPS).prepare(raw), raw) > 0.95


def test_the_co_trained_reviewer_is_taken_as_it_is() -> None:
    case = make_case()
    before = {k: v.clone() for k, v in case.reviewer.state_dict().items()}
    assert CoTrainedReviewer().prepare(case) is case.reviewer
    assert not case.reviewer.training
    for name, tensor in case.reviewer.state_dict().items():
        assert torch.equal(tensor, before[name])


@pytest.mark.parametrize("judge", [RetrainedClassifier(steps=3), RawClassifier(steps=3)])
def test_training_a_judge_touches_neither_reviewer_nor_global_state(judge: AbstractJudge) -> None:
    case = make_case()
    before = {k: v.clone() for k, v in case.reviewer.state_dict().items()}
    state = torch.get_rng_state()
    first, second = judge.prepare(case), judge.prepare(case)
    assert torch.equal(state, torch.get_rng_state())
    for name, tensor in case.reviewer.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert_same_state(first, second)
    assert not first.training
    assert not torch.equal(weights(first), weights(case.reviewer))


def test_a_given_classifier_is_trained_as_a_copy() -> None:
    given = AttributeReviewer("test_resnet", 2)
    before = {k: v.clone() for k, v in given.state_dict().items()}
    judge = RetrainedClassifier(classifier=given, steps=3)
    trained = judge.prepare(make_case())
    for name, tensor in given.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert not torch.equal(weights(trained), weights(given))
    taken = RawClassifier(classifier=given, steps=0).prepare(make_case())
    assert_same_state(taken, given)


def test_fast_dev_run_trains_one_step() -> None:
    once = RetrainedClassifier(steps=1).prepare(make_case())
    quick = RetrainedClassifier(steps=10**6).prepare(make_case(quick=True))
    assert_same_state(once, quick)


def test_an_ensemble_starts_anew_too() -> None:
    members = [AttributeReviewer("test_resnet", 2) for _ in range(2)]
    ensemble = ReviewerEnsemble(members)
    fresh, again = ensemble.fresh(3), ensemble.fresh(3)
    assert_same_state(fresh, again)
    mine = [weights(member) for member in members]
    new = [weights(member) for member in fresh.members]
    assert not any(torch.equal(a, b) for a in mine for b in new)
    assert not torch.equal(new[0], new[1])
    ensemble.restart(1)
    assert torch.equal(weights(members[0]), mine[0])
    assert not torch.equal(weights(members[1]), mine[1])
    RetrainedClassifier(steps=1).prepare(make_case(reviewer=ensemble))


def test_descriptions_say_who_judged() -> None:
    judges: list[AbstractJudge] = [
        RetrainedClassifier(steps=1),
        RawClassifier(steps=1),
        CoTrainedReviewer(),
    ]
    for judge in judges:
        judge.prepare(make_case())
        assert judge.description()["judge"] == judge.name
        assert "trained_on" in judge.description()
    assert [d.get("classifier") for d in (j.description() for j in judges)] == [
        "test_resnet",
        "test_resnet",
        None,
    ]


@pytest.mark.parametrize(
    ("judge", "case", "message"),
    [
        (CoTrainedReviewer(), {"same_attributes": False}, "`privacy_judge` must be trained on"),
        (RetrainedClassifier(), {"num_attributes": 3}, r"data's \(3\); found 2"),
    ],
)
def test_what_a_judge_cannot_judge(
    judge: AbstractJudge, case: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        judge.prepare(make_case(**case))


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="`steps` must be at least 1; found 0"):
        RetrainedClassifier(steps=0)
    with pytest.raises(ValueError, match="`lr` must be positive; found 0"):
        RetrainedClassifier(lr=0)
    with pytest.raises(ValueError, match="`steps` must be positive where no `classifier`"):
        RawClassifier(steps=0)
