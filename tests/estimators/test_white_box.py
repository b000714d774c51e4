from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from blackbox_anon.errors import MLLMError
from blackbox_anon.estimators import Asked, BlackBoxProblem, WhiteBox
from blackbox_anon.mllms import AbstractMLLM, Answer, HuggingFaceMLLM, Response
from blackbox_anon.scorers import LogprobScorer
from blackbox_anon.world import PeopleWorld
from tests.tasks.parts import make_data, make_task, make_trainer

PROMPT = "What is the person doing?"


class Service(AbstractMLLM):
    def _respond(self, frames: Tensor, prompts: Sequence[str]) -> list[Answer]:
        assert len(frames) == len(prompts)
        return [Response(text="walk")] * len(prompts)


@pytest.fixture(scope="module")
def mllm() -> HuggingFaceMLLM:
    return HuggingFaceMLLM("peopleworld", dtype="float32", device="cpu", max_new_tokens=1)


@pytest.fixture(scope="module")
def problem(mllm: HuggingFaceMLLM) -> BlackBoxProblem:
    """Two clips whose brightness and contrast are the parameters."""
    world = PeopleWorld("test", length=2, seed=5)
    clips = torch.stack([world.frames(i) for i in range(2)]).float() / 255
    labels = torch.tensor([world.scene(i).action for i in range(2)])
    classes, prompts = list(PeopleWorld.classes), [PROMPT] * 2

    def losses(frames: Tensor) -> Tensor:
        times = len(frames) // 2
        scores = LogprobScorer().scores(mllm.query(frames, prompts * times), classes)  # type: ignore[arg-type]  # no failures
        return functional.cross_entropy(scores, labels.repeat(times), reduction="none")

    return BlackBoxProblem(
        anonymize=lambda theta: (theta[0] + 0.8 * torch.tanh(theta[1]) * clips).clamp(0, 1),
        losses=losses,
        asked=Asked(prompts=prompts, classes=classes, labels=labels, identity=dict(mllm.identity)),
    )


THETA = torch.tensor([0.3, 0.5])  # where the loss is not too curved


def test_loss_and_gradient_are_the_black_boxs(
    mllm: HuggingFaceMLLM, problem: BlackBoxProblem
) -> None:
    estimate = WhiteBox(mllm)(THETA, problem)
    asked = problem.losses(problem.anonymize(THETA)).mean()
    torch.testing.assert_close(estimate.loss, asked, rtol=0.05, atol=1e-3)  # 8 bits
    step = 0.02
    for index in range(2):
        shift = step * torch.eye(2)[index]
        ends = [problem.losses(problem.anonymize(THETA + s * shift)).mean() for s in (1, -1)]
        slope = (ends[0] - ends[1]) / (2 * step)
        torch.testing.assert_close(estimate.gradient[index], slope, rtol=0.15, atol=0.02)
    assert estimate.queries == 2
    assert not estimate.gradient.requires_grad
    assert not estimate.loss.requires_grad


def test_trains_a_task_that_never_asks(mllm: HuggingFaceMLLM, tmp_path: Path) -> None:
    task = make_task(mllm, estimator=WhiteBox(mllm))
    data, asked = make_data(clip_frames=8, size=64, train_clips=4), mllm.queries
    make_trainer(tmp_path).fit(task, data)
    assert task.steps == 2
    assert task.scalars["train/utility_gradient_norm"] > 0
    assert task.scalars["train/utility_score"].isnan(), "nobody was asked"
    assert task.scalars["train/output_std"] > 0
    assert mllm.queries == asked


def test_does_not_look_into_the_black_box(mllm: HuggingFaceMLLM, problem: BlackBoxProblem) -> None:
    before = mllm.queries
    estimator = WhiteBox(mllm)
    estimator(THETA, problem)
    assert mllm.queries == before
    assert list(estimator.parameters()) == []
    assert list(estimator.state_dict()) == ["step"], "no weight of the model in a checkpoint"
    estimator.reset()
    assert estimator.step == 0


def test_refuses_a_service() -> None:
    with pytest.raises(MLLMError, match=r"white-box descent needs the model's weights.*Service"):
        WhiteBox(Service())


def test_refuses_another_model_than_the_one_asked(
    mllm: HuggingFaceMLLM, problem: BlackBoxProblem
) -> None:
    assert problem.asked is not None
    other = replace(problem.asked, identity={"class": "Service"})
    with pytest.raises(MLLMError, match=r"must be the model that the task asks.*Service"):
        WhiteBox(mllm)(THETA, replace(problem, asked=other))


def test_needs_the_question(mllm: HuggingFaceMLLM, problem: BlackBoxProblem) -> None:
    with pytest.raises(ValueError, match=r"`problem.asked` must say what is asked.*found None"):
        WhiteBox(mllm)(THETA, replace(problem, asked=None))


def test_refuses_the_loss_of_another_scorer(
    mllm: HuggingFaceMLLM, problem: BlackBoxProblem
) -> None:
    assert problem.asked is not None
    retrieved = replace(problem.asked, first_tokens=False)
    with pytest.raises(ValueError, match=r"`problem.asked.first_tokens` must be True.*found False"):
        WhiteBox(mllm)(THETA, replace(problem, asked=retrieved))


def test_classes_must_differ_in_their_first_token(
    mllm: HuggingFaceMLLM, problem: BlackBoxProblem
) -> None:
    assert problem.asked is not None
    alike = replace(problem.asked, classes=["walk", "walk"], labels=torch.tensor([0, 1]))
    with pytest.raises(MLLMError, match="`classes` must start with different tokens"):
        WhiteBox(mllm)(THETA, replace(problem, asked=alike))
