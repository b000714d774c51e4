from functools import partial

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from blackbox_anon.anonymizers import BlackOut, Downsample, Identity
from blackbox_anon.errors import TooManyFailuresError
from blackbox_anon.evaluation import (
    AttackBudget,
    ClipSet,
    Measured,
    Question,
    anonymize_clips,
    ask,
    attack,
    draw_clips,
    judge,
    show,
    train_attacker,
)
from blackbox_anon.mllms import AbstractMLLM
from blackbox_anon.scorers import LogprobScorer
from blackbox_anon.threads import SideBySide, one_torch_thread
from blackbox_anon.world import PeopleWorld
from tests.mllms_fakes import ConstantMLLM, FlakyMLLM
from tests.tasks.parts import RecordingMLLM

BUDGET = AttackBudget(steps=12, batch_size=4)
QUESTION = Question(prompt="What?", classes=PeopleWorld.classes, scorer=LogprobScorer())


@pytest.fixture(scope="module")
def clips() -> ClipSet:
    return draw_clips(PeopleWorld("test", length=6, clip_frames=3, size=32))


def test_drawn_clips_carry_all_labels(clips: ClipSet) -> None:
    world, progress = PeopleWorld("test", length=6, clip_frames=3, size=32), []
    drawn = draw_clips(world, [2], progress=lambda: progress.append(1))
    assert len(drawn) == len(progress) == 6
    assert torch.equal(drawn.clips, clips.clips[:, [2]])
    assert torch.equal(drawn.regions, clips.regions[:, [2]])
    for index in range(6):
        assert torch.equal(clips.clips[index], world.frames(index))
        assert clips.labels[index] == world.scene(index).action
        assert tuple(clips.attributes[index].tolist()) == world.scene(index).attributes


@pytest.mark.parametrize("batch_size", [1, 4, 32])
def test_anonymized_clips_do_not_depend_on_batches(clips: ClipSet, batch_size: int) -> None:
    assert torch.equal(anonymize_clips(Identity(), clips, batch_size), clips.clips)
    small = anonymize_clips(Downsample(4), clips, batch_size)
    assert small.dtype == torch.uint8
    assert torch.equal(small, anonymize_clips(Downsample(4), clips))


def test_region_baselines_get_the_boxes(clips: ClipSet) -> None:
    black = anonymize_clips(BlackOut(), clips)
    inside = clips.regions.bool().expand_as(black)
    assert not black[inside].any()
    assert torch.equal(black[~inside], clips.clips[~inside])
    assert inside.any()
    assert not inside.all()


def measure(clips: ClipSet, mllm: AbstractMLLM) -> Measured:
    shown = show("none", Identity(), mllm, QUESTION, train=clips, test=clips)
    attributes = PeopleWorld.attributes
    return judge(shown, train=clips, test=clips, budget=BUDGET, attributes=attributes)


def test_answers_do_not_depend_on_batches(clips: ClipSet) -> None:
    mllm = RecordingMLLM()
    asked = ask(mllm, QUESTION, clips.clips, Identity(), batch_size=4)
    assert [len(frames) for frames, _ in mllm.asked] == [4, 2]
    assert torch.equal(asked.predicted, mllm.logits(clips.clips / 255).argmax(1))
    assert asked.failures == {}


def test_failed_clips_have_no_class_and_are_counted(clips: ClipSet) -> None:
    whole = ask(RecordingMLLM(), QUESTION, clips.clips, Identity())
    mllm = FlakyMLLM(RecordingMLLM(), 0.5, kind="rate_limit")
    asked = ask(mllm, QUESTION, clips.clips, Identity(), batch_size=4)
    lost = torch.cat(mllm.lost)
    assert 0 < lost.sum() < 6
    assert torch.equal(asked.predicted, torch.where(lost, -1, whole.predicted))
    assert asked.failures == {"rate_limit": int(lost.sum())}


def test_utility_is_that_of_the_answered_clips(clips: ClipSet) -> None:
    mllm = FlakyMLLM(ConstantMLLM(PeopleWorld.classes[int(clips.labels[0])]), 0.5)
    result = measure(clips, mllm).result
    kept = ~torch.cat(mllm.lost)
    hits = clips.labels[kept] == clips.labels[0]
    assert result.utility.value == pytest.approx(hits.double().mean().item())
    assert result.mllm_failures == {"timeout": int((~kept).sum())}
    assert result.mllm_queries == 6


def test_a_measure_without_any_answer_is_refused(clips: ClipSet) -> None:
    mllm = FlakyMLLM(RecordingMLLM(), 1.0, kind="refusal")
    with pytest.raises(
        TooManyFailuresError, match=r"In all 6 of 6 failed: refusal 6. Last: call 1 was"
    ):
        ask(mllm, QUESTION, clips.clips, Identity())


def test_an_attacker_learns_and_is_reproducible() -> None:
    """A red half shows the first attribute, a bright one the second."""
    generator = torch.Generator().manual_seed(0)
    present = torch.randint(2, (64, 2), generator=generator)
    images = torch.full((64, 3, 32, 32), 60, dtype=torch.uint8)
    images[:, 0] += (present[:, 0] * 150).view(-1, 1, 1).to(torch.uint8)
    images[:, 1:, :16] += (present[:, 1] * 150).view(-1, 1, 1, 1).to(torch.uint8)
    budget = AttackBudget(steps=40, batch_size=16)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    attacker = train_attacker(images, present, budget)
    assert torch.equal(torch.get_rng_state(), state), "the global generator was used"
    assert not attacker.training
    scores = attack(attacker, images.unsqueeze(1), batch_size=7)
    assert average_precision_score(present.numpy(), scores.numpy(), average="macro") > 0.95
    torch.manual_seed(4)
    again = train_attacker(images, present, budget)
    assert torch.equal(scores, attack(again, images.unsqueeze(1), batch_size=7))


def test_attackers_at_once_are_those_one_after_the_other() -> None:
    """Though all threads share one global random state."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (32, 3, 32, 32), generator=generator, dtype=torch.uint8)
    present = torch.randint(2, (32, 2), generator=generator)

    def train(seed: int) -> dict[str, torch.Tensor]:
        budget = AttackBudget(steps=3, batch_size=8, seed=seed)
        return train_attacker(images, present, budget).state_dict()

    with one_torch_thread():
        alone = [train(seed) for seed in range(6)]
    state = torch.get_rng_state()
    at_once = SideBySide(3).run([partial(train, seed) for seed in range(6)])
    assert torch.equal(torch.get_rng_state(), state)
    torch.testing.assert_close(at_once, alone, rtol=0, atol=0)


def test_attacker_needs_a_batch() -> None:
    with pytest.raises(ValueError, match=r"`frames` must hold at least one batch \(4\); found 3"):
        train_attacker(torch.zeros(3, 3, 8, 8, dtype=torch.uint8), torch.zeros(3, 2), BUDGET)


def test_measured_figures_follow_from_answers_and_scores(clips: ClipSet) -> None:
    mllm = ConstantMLLM(PeopleWorld.classes[int(clips.labels[0])])
    mllm.query(clips.clips[:1], ["earlier"])
    found = measure(clips, mllm)
    result = found.result
    assert result.method == "none"
    assert result.mllm_queries == 6, "only this method's"
    assert result.utility.value == pytest.approx(
        (clips.labels == clips.labels[0]).double().mean().item()
    )
    low, high = result.utility.ci95
    assert low <= result.utility.value <= high
    assert torch.equal(found.clips, clips.clips)
    present, scores = clips.attributes.numpy(), found.scores.numpy()
    each = {
        name: average_precision_score(present[:, a], scores[:, a])
        for a, name in enumerate(PeopleWorld.attributes)
        if present[:, a].any()
    }
    assert result.privacy.cmap_ap == pytest.approx(np.mean(list(each.values())), abs=1e-6)
    for name, score in result.privacy.per_attribute.items():
        assert score.ap == (pytest.approx(each[name], abs=1e-6) if name in each else None)
