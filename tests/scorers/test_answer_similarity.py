"""L_MLLM for questions: known values, bounds, and every aggregation."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import cosine_similarity

from blackbox_anon.metrics.functional import normalize_answer
from blackbox_anon.mllms import Response
from blackbox_anon.scorers import (
    AbstractTextEncoder,
    Aggregation,
    AnswerSimilarity,
    CharacterNGramEncoder,
)

ANSWERS = ["pony tail"] * 6 + ["braid"] * 2 + ["ponytail"] * 2
AGGREGATIONS: tuple[Aggregation, ...] = ("mean", "distinct_mean", "max", "most_common")


class Counting(AbstractTextEncoder):
    """Remembers what it was asked to embed."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def encode(self, texts: list[str]) -> Tensor:  # type: ignore[override]  # always a list here
        self.asked.append(texts)
        return CharacterNGramEncoder().encode(texts)


def cosine(first: str, second: str) -> float:
    a, b = CharacterNGramEncoder().encode([normalize_answer(first), normalize_answer(second)])
    return cosine_similarity(a, b, dim=0).item()


def loss(text: str, answers: list[str], aggregation: Aggregation = "mean") -> float:
    similarity = AnswerSimilarity(CharacterNGramEncoder(), aggregation)
    return similarity.losses([Response(text=text)], [answers]).item()


def test_aggregations_by_hand() -> None:
    said = "A ponytail."
    tail, braid, pony = (cosine(said, answer) for answer in ("pony tail", "braid", "ponytail"))
    expected = {
        "mean": 1 - (6 * tail + 2 * braid + 2 * pony) / 10,
        "distinct_mean": 1 - (tail + braid + pony) / 3,
        "max": 1 - pony,
        "most_common": 1 - tail,
    }
    for name in AGGREGATIONS:
        assert loss(said, ANSWERS, name) == pytest.approx(expected[name], abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=30), st.lists(st.text(max_size=12), min_size=1, max_size=5))
def test_bounds(text: str, answers: list[str]) -> None:
    for name in AGGREGATIONS:
        assert 0 <= loss(text, answers, name) <= 2


def test_the_right_answer_costs_nothing_whatever_its_dress() -> None:
    for text in ("surfing", "Surfing.", " the surfing\n"):
        assert loss(text, ["surfing"] * 10) == pytest.approx(0, abs=1e-6)
    assert loss("", ["surfing"] * 10) == 1


def test_every_text_is_embedded_once() -> None:
    encoder = Counting()
    responses = [Response(text="braid"), Response(text="surf")]
    losses = AnswerSimilarity(encoder).losses(responses, [ANSWERS, ANSWERS])
    assert encoder.asked == [["braid", "pony tail", "ponytail", "surf"]]
    assert losses.shape == (2,)
    assert losses.dtype == torch.float32


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match=r"`aggregation` must be one of .*found 'median'"):
        AnswerSimilarity(CharacterNGramEncoder(), "median")  # type: ignore[arg-type]  # the point
    similarity = AnswerSimilarity(CharacterNGramEncoder())
    with pytest.raises(ValueError, match="`answers` must hold answers to 1 questions"):
        similarity.losses([Response(text="x")], [])
    with pytest.raises(ValueError, match="`answers` must hold answers to 1 questions"):
        similarity.losses([Response(text="x")], [[]])
