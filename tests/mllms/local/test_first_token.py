import math

import pytest
import torch

from blackbox_anon.mllms.local import top_logprobs


def test_tokens_of_one_text_add_up() -> None:
    logits = torch.tensor([[0.2, 0.5, 0.3, 0.0]]).log()

    [top] = top_logprobs(logits, 4, ["run", "walk", "run", "run"].__getitem__)

    found = {text: math.exp(value) for text, value in top.items()}
    assert found == pytest.approx({"walk": 0.5, "run": 0.5})


def test_impossible_tokens_stay_impossible() -> None:
    logits = torch.tensor([[0.0, -math.inf, -math.inf]])

    [top] = top_logprobs(logits, 3, ["walk", "run", "run"].__getitem__)

    assert top == {"walk": 0.0, "run": -math.inf}
