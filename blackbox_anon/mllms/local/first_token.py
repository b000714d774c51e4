"""What the black box finds likely as the start of its answer."""

import math
from collections.abc import Callable

from torch import Tensor


def top_logprobs(
    logits: Tensor, count: int, token_text: Callable[[int], str]
) -> list[dict[str, float]]:
    """Log-probabilities of the likeliest tokens by their text.

    Args:
        logits: Shape ``(B, V)``, over the vocabulary.
        count: Most tokens to report per row.
        token_text: Text of a token; where texts coincide, probabilities add up.

    Returns:
        ``B`` dictionaries, in nats, likeliest token first.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[0.25, 0.25, 0.5]]).log()
        >>> [top] = top_logprobs(logits, 3, ["run", "run", "walk"].__getitem__)
        >>> {text: round(math.exp(logprob), 6) for text, logprob in top.items()}
        {'walk': 0.5, 'run': 0.5}
    """
    logprobs = logits.float().log_softmax(dim=-1)
    values, tokens = logprobs.topk(min(count, logprobs.shape[-1]))
    tops = []
    for row_values, row_tokens in zip(values.tolist(), tokens.tolist(), strict=True):
        top: dict[str, float] = {}
        for value, token in zip(row_values, row_tokens, strict=True):
            text = token_text(token)
            top[text] = _logaddexp(top[text], value) if text in top else value
        tops.append(top)
    return tops


def _logaddexp(larger: float, smaller: float) -> float:
    """Stable for ``larger >= smaller``; the sum stays finite for impossible tokens."""
    return larger if smaller == -math.inf else larger + math.log1p(math.exp(smaller - larger))
