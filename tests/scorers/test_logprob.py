import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from blackbox_anon.errors import MLLMError
from blackbox_anon.mllms import Response
from blackbox_anon.scorers import LogprobScorer


def scores(
    probabilities: dict[str, float], classes: list[str], floor: float = -20.0
) -> list[float]:
    logprobs = {token: math.log(p) for token, p in probabilities.items()}
    response = Response(text="", top_logprobs=logprobs)
    row = LogprobScorer(floor=floor).scores([response], classes)
    assert row.shape == (1, len(classes))
    assert row.dtype == torch.float32
    assert row.isfinite().all()
    return [round(value, 5) for value in row[0].double().exp().tolist()]


@pytest.mark.parametrize(
    ("probabilities", "classes", "expected"),
    [
        ({"walk": 0.5, "run": 0.25}, ["run", "walk"], [0.25, 0.5]),
        ({"Walk": 0.5, "walk": 0.25}, ["WALK"], [0.75]),
        ({"w": 0.1, "wa": 0.2, "walking": 0.3}, ["walk", "wave"], [0.2, 0.2]),
        ({"the": 0.4}, ["walk", "run", "jump"], [0.2, 0.2, 0.2]),
        ({"the": 0.4, "run": 0.3}, ["walk", "run", "jump"], [0.15, 0.3, 0.15]),
        ({"": 0.4, "run": 0.3}, ["walk", "run"], [0.3, 0.3]),
        ({"play": 0.4}, ["play piano", "play guitar"], [0.4, 0.4]),
    ],
    ids=["plain", "case adds up", "longest start", "share", "share of rest", "blank", "same start"],
)
def test_probabilities(
    probabilities: dict[str, float], classes: list[str], expected: list[float]
) -> None:
    assert scores(probabilities, classes) == expected


WORDS = st.text("abB ", max_size=4)


@given(st.dictionaries(WORDS, st.floats(1e-6, 0.05), max_size=12), st.lists(WORDS, max_size=5))
def test_the_longest_start_counts(probabilities: dict[str, float], classes: list[str]) -> None:
    merged = dict[str, float]()
    for token, probability in probabilities.items():
        key = token.strip().lower()
        merged[key] = merged.get(key, 0.0) + probability

    def of(text: str) -> float | None:
        starts = [token for token in merged if token and text.lower().startswith(token)]
        return merged[max(starts, key=len)] if starts else None

    found = [of(text) for text in classes]
    share = (1 - sum(merged.values())) / max(1, found.count(None))
    expected = [share if value is None else value for value in found]
    assert scores(probabilities, classes) == pytest.approx(expected, abs=2e-5)


def test_excluded_classes_score_the_floor() -> None:
    certain = Response(text="run", top_logprobs={"run": 0.0, "walk": -math.inf})

    row = LogprobScorer(floor=-5.0).scores([certain], ["run", "walk", "jump"])

    assert row.tolist() == [[0.0, -5.0, -5.0]]


def test_rounding_above_one_is_no_error() -> None:
    response = Response(text="run", top_logprobs={"run": math.log(1 + 1e-6)})

    assert LogprobScorer(floor=-5.0).scores([response], ["walk"]).tolist() == [[-5.0]]


def test_no_responses() -> None:
    assert LogprobScorer().scores([], ["walk", "run"]).shape == (0, 2)


def test_text_alone_is_not_enough() -> None:
    with pytest.raises(MLLMError, match="Use RetrievalScorer"):
        LogprobScorer().scores([Response(text="walk")], ["walk"])


@pytest.mark.parametrize("floor", [0.0, 1.0, -math.inf, math.nan])
def test_floor_is_checked(floor: float) -> None:
    with pytest.raises(ValueError, match="`floor` must be finite and negative"):
        LogprobScorer(floor=floor)
