"""Top-k against a sort in Python, and the rule for ties."""

import pytest
import torch
from torch import Tensor

from blackbox_anon.metrics import TopKAccuracy
from blackbox_anon.metrics.functional import Ties, top_k_correct
from blackbox_anon.mllms import Response
from blackbox_anon.scorers import CharacterNGramEncoder, RetrievalScorer
from tests.metrics.cases import random_scores


def reference(scores: Tensor, labels: Tensor, k: int, ties: Ties) -> list[bool]:
    found = []
    for row, label in zip(scores.tolist(), labels.tolist(), strict=True):
        places = list(range(len(row)))
        ranked = sorted(places, key=lambda c: (-row[c], c == label if ties == "against" else c))
        found.append(label in ranked[:k])
    return found


@pytest.mark.parametrize("ties", ["against", "first"])
def test_equals_a_sort(ties: Ties) -> None:
    for case in range(300):
        scores, labels = random_scores(case)
        for k in (1, min(5, scores.shape[1])):
            expected = reference(scores, labels, k, ties)
            assert top_k_correct(scores, labels, k=k, ties=ties).tolist() == expected
            metric = TopKAccuracy(k, ties=ties)
            for rows, marks in zip(scores.split(7), labels.split(7), strict=True):
                metric.update(rows, marks)
            assert metric.compute().item() == pytest.approx(sum(expected) / len(expected))


def test_first_is_argmax() -> None:
    for case in range(100):
        scores, labels = random_scores(case)
        assert torch.equal(top_k_correct(scores, labels, ties="first"), scores.argmax(1) == labels)


def test_an_answer_that_resembles_nothing_is_wrong() -> None:
    scorer = RetrievalScorer(CharacterNGramEncoder())
    scores = scorer.scores([Response(text=""), Response(text="He runs.")], ["walk", "runs"])
    assert top_k_correct(scores, torch.tensor([0, 1])).tolist() == [False, True]


def test_fewer_classes_than_k() -> None:
    metric = TopKAccuracy(5)
    metric.update(torch.tensor([[0.1, 0.2]]), torch.tensor([0]))
    assert metric.compute() == 1


def test_interval_contains_the_value() -> None:
    metric = TopKAccuracy()
    scores, labels = torch.rand(200, 3), torch.randint(3, (200,))
    metric.update(scores, labels)
    low, high = metric.interval()
    assert low < metric.compute() < high
    assert 0.08 < high - low < 0.2  # 1.96 * 2 * sqrt(2 / 9 / 200) = 0.13


@pytest.mark.parametrize(
    ("scores", "labels", "options", "message"),
    [
        (torch.zeros(3), torch.zeros(3), {}, r"scores: expected shape \(B, K\)"),
        (torch.zeros(2, 3), torch.tensor([0]), {}, "labels: expected 2 classes"),
        (torch.full((1, 3), torch.nan), torch.tensor([0]), {}, "scores: expected numbers"),
        (torch.zeros(1, 3), torch.tensor([3]), {}, r"labels: expected 0 to 2, found \[3\]"),
        (torch.zeros(1, 3), torch.tensor([0]), {"k": 4}, "k: expected 1 to 3, found 4"),
        (torch.zeros(1, 3), torch.tensor([0]), {"ties": "last"}, "ties: .* found 'last'"),
    ],
)
def test_wrong_input_is_named(
    scores: Tensor, labels: Tensor, options: dict[str, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        top_k_correct(scores, labels, **options)  # type: ignore[arg-type]  # the point
    with pytest.raises(ValueError, match="k: expected at least 1, found 0"):
        TopKAccuracy(0)
