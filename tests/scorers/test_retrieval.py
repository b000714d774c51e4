from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from blackbox_anon.mllms import Response
from blackbox_anon.scorers import AbstractTextEncoder, CharacterNGramEncoder, RetrievalScorer

CLASSES = ["Apply eye makeup", "archery", "Playing guitar"]
ANSWERS = ["The man is playing a guitar.", "Archery. He shoots.", "", "...", "x" * 76 + " archery"]


class LetterEncoder(AbstractTextEncoder):
    """Letter counts on a scale of their own; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def encode(self, texts: Sequence[str]) -> Tensor:
        self.asked.append(list(texts))
        return torch.tensor([[3.0 * text.count(c) for c in "aegrtx ."] for text in texts])


def reference(answers: list[str], classes: list[str], cut: int) -> np.ndarray:
    """VLM-Eval's rule, one pair at a time."""
    encoder = LetterEncoder()
    table = np.zeros((len(answers), len(classes)))
    for i, answer in enumerate(answers):
        short = "".join(c for c in answer if c != ".")[:cut]
        for k, name in enumerate(classes):
            a, b = encoder.encode([short, name]).double().numpy()
            length = np.sqrt((a**2).sum()) * np.sqrt((b**2).sum())
            table[i, k] = (a * b).sum() / length if length > 0 else 0.0
    return table


@pytest.mark.parametrize("cut", [77, 5])
def test_equals_reference(cut: int) -> None:
    scorer = RetrievalScorer(LetterEncoder(), max_characters=cut)

    scores = scorer.scores([Response(text=a) for a in ANSWERS], CLASSES)

    assert scores.dtype == torch.float32
    np.testing.assert_allclose(scores.numpy(), reference(ANSWERS, CLASSES, cut), atol=1e-6)


def test_full_stops_go_before_the_cut() -> None:
    encoder = LetterEncoder()
    RetrievalScorer(encoder, max_characters=3).scores([Response(text="a.b.c.d")], ["x"])

    assert encoder.asked[-1] == ["abc"]


def test_classes_are_embedded_once_per_list() -> None:
    encoder = LetterEncoder()
    scorer = RetrievalScorer(encoder)
    for classes in (CLASSES, CLASSES, CLASSES[::-1]):
        scorer.scores([Response(text="a")], classes)

    assert [asked for asked in encoder.asked if asked != ["a"]] == [CLASSES, CLASSES[::-1]]


def test_columns_follow_the_class_list() -> None:
    scorer = RetrievalScorer(CharacterNGramEncoder())
    responses = [Response(text=a) for a in ANSWERS]

    there = scorer.scores(responses, CLASSES)
    back = scorer.scores(responses, CLASSES[::-1])

    torch.testing.assert_close(there, back.flip(-1))
    assert there[:2].argmax(dim=-1).tolist() == [2, 1]


def test_needs_characters() -> None:
    with pytest.raises(ValueError, match="`max_characters` must be positive; found 0"):
        RetrievalScorer(CharacterNGramEncoder(), max_characters=0)
