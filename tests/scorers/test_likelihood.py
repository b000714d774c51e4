import math

import pytest
import torch

from blackbox_anon.errors import MLLMError
from blackbox_anon.mllms import Response
from blackbox_anon.scorers import LikelihoodScorer


def test_the_softmax_is_the_choice_among_classes() -> None:
    """Two classes of 1e-20 and 3e-20 are chosen with 1/4 and 3/4."""
    logprobs = {"play piano": math.log(1e-20), "play guitar": math.log(3e-20), "other": -0.1}
    scores = LikelihoodScorer().scores(
        [Response(text="", top_logprobs=logprobs)] * 2, ["play guitar", "play piano"]
    )

    assert scores.shape == (2, 2)
    assert scores.dtype == torch.float32
    expected = torch.tensor([[0.75, 0.25]] * 2)
    torch.testing.assert_close(scores.softmax(dim=-1), expected)


@pytest.mark.parametrize("logprobs", [None, {}, {"Run": -1.0}])
def test_a_class_that_was_not_scored(logprobs: dict[str, float] | None) -> None:
    with pytest.raises(MLLMError, match=r"log-probability for every class.*found none for 'run'"):
        LikelihoodScorer().scores([Response(text="run", top_logprobs=logprobs)], ["run"])


def test_no_responses() -> None:
    assert LikelihoodScorer().scores([], ["run", "walk"]).shape == (0, 2)
