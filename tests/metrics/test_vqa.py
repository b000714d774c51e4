"""VQA accuracy against an independent scorer, its quirks, and known values."""

from typing import get_args

import pytest
import torch

from blackbox_anon.metrics import VQAAccuracy
from blackbox_anon.metrics.functional import VQAVariant, normalize_answer, vqa_accuracy
from tests.metrics.cases import random_question
from tests.metrics.vqa_reference import SCORERS, rewritten

CASES = 1000
VARIANTS = get_args(VQAVariant)


@pytest.mark.parametrize("variant", VARIANTS)
def test_equals_the_independent_scorer(variant: VQAVariant) -> None:
    questions = [random_question(case) for case in range(CASES)]
    expected = [SCORERS[variant](*question) for question in questions]
    found = [vqa_accuracy(*question, variant=variant) for question in questions]
    assert found == pytest.approx(expected, abs=1e-9)
    assert len(set(found)) >= 5, "cases are too alike to tell scorers apart"
    metric = VQAAccuracy(variant)
    for start in range(0, CASES, 64):
        predictions, answers = zip(*questions[start : start + 64], strict=True)
        metric.update(predictions, answers)
    assert metric.compute().item() == pytest.approx(sum(expected) / CASES, abs=1e-9)


def test_variants_are_different_numbers() -> None:
    questions = [random_question(case) for case in range(CASES)]
    values = {v: [vqa_accuracy(*q, variant=v) for q in questions] for v in VARIANTS}
    assert len({tuple(found) for found in values.values()}) == len(VARIANTS)


def test_normalization_equals_the_reference() -> None:
    for case in range(CASES):
        prediction, answers = random_question(case)
        for text in (prediction, *answers):
            assert normalize_answer(text) == rewritten(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Yes.", "yes"),
        ("an Apple, please!", "apple please"),
        ("7.5", "7.5"),
        (".5 of it.", ".5 of it"),
        ("pony-tail", "pony tail"),
        ("pony- tail", "pony tail"),
        ("pony -tail", "pony tail"),
        ("2,000-3,000", "20003000"),  # a comma between digits: every mark goes
        ("none", "0"),
        ("No one is here", "no 1 is here"),
        ("it's 10:30", "it's 10:30"),  # apostrophe and colon stay
        ("dont", "don't"),
        ("Couldnt've", "couldn't've"),
        ("well", "well"),
        ("line\nbreak\tand tab", "line break and tab"),
        ("", ""),
        ("." * 40, "." * 8),
    ],
)
def test_normalization_of(text: str, expected: str) -> None:
    assert normalize_answer(text) == expected


@pytest.mark.parametrize(
    ("agreeing", "score"), list(enumerate([0, 0.3, 0.6, 0.9, 1, 1, 1, 1, 1, 1, 1]))
)
def test_by_how_many_of_ten_agree(agreeing: int, score: float) -> None:
    answers = ["surf"] * agreeing + [f"other {i}" for i in range(10 - agreeing)]
    assert vqa_accuracy("surf", answers) == score


def test_five_annotators_twice_give_three_scores() -> None:
    found = {vqa_accuracy("surf", ["surf"] * (2 * n) + ["x"] * (10 - 2 * n)) for n in range(6)}
    assert found == {0.0, 0.6, 1.0}


def test_only_the_whole_answer_counts() -> None:
    assert vqa_accuracy("They are surfing", ["surfing"] * 10) == 0


def test_where_the_variants_part() -> None:
    same, mixed = ["The Wave."] * 10, ["the wave"] * 9 + ["sea"]
    assert [vqa_accuracy("The Wave.", same, variant=v) for v in VARIANTS] == [0, 1, 1]
    assert [vqa_accuracy("the wave", mixed, variant=v) for v in VARIANTS] == [0, 1, 1]
    assert [vqa_accuracy("the wave.", ["wave"] * 10, variant=v) for v in VARIANTS] == [1, 0, 1]


def test_a_question_seen_twice_counts_once() -> None:
    metric = VQAAccuracy()
    answers = [["a b"] * 10, ["c d"] * 10, ["a b"] * 10]
    metric.update(["a b", "x", "a b"], answers, ids=torch.tensor([4, 5, 4]))
    assert metric.compute() == 0  # "a b" loses its article: the official answer is out of reach
    metric.reset()
    metric.update(["b c", "x", "b c"], [["b c"] * 10] * 3, ids=torch.tensor([4, 5, 4]))
    assert metric.compute() == 0.5


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match=r"variant: expected one of .*found 'offical'"):
        VQAAccuracy("offical")  # type: ignore[arg-type]  # the point
    with pytest.raises(ValueError, match="answers: expected at least two annotators, found 1"):
        vqa_accuracy("x", ["x"])
    with pytest.raises(ValueError, match="answers: expected 2 lists, found 1"):
        VQAAccuracy().update(["x", "y"], [["x", "y"]])
