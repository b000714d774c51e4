"""How likely did the black box find each class as the start of its answer?"""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.errors import MLLMError
from blackbox_anon.mllms.answers import Response
from blackbox_anon.scorers.abstract import AbstractScorer


class LogprobScorer(AbstractScorer):
    r"""Log-probability of the token that starts the class text.

    A class takes the longest reported token that begins its text, whatever the case. The classes
    that no token begins share the probability that was not reported:

    .. math:: s_k = \max\Bigl(\log\frac{1 - \sum_t p_t}{\#\text{missing}},\ \text{floor}\Bigr)

    Scores are continuous in the pixels where an answer's text is not, which finite differences
    need. They are not normalised over the classes, and classes that start alike ("play piano",
    "play guitar") cannot be told apart by one token.

    Args:
        floor: Least score, in nats, for classes that the black box excludes.

    Raises:
        ValueError: If ``floor`` is not finite and negative.

    Example:
        >>> response = Response(text="Walk", top_logprobs={"Walk": math.log(0.75)})
        >>> LogprobScorer().scores([response], ["walk", "run"]).exp()
        tensor([[0.7500, 0.2500]])
    """

    def __init__(self, floor: float = -20.0) -> None:
        if not -math.inf < floor < 0:
            msg = f"`floor` must be finite and negative; found {floor}"
            raise ValueError(msg)
        self.floor = floor

    @override
    def scores(self, responses: Sequence[Response], classes: Sequence[str]) -> Tensor:
        texts = tuple(name.lower() for name in classes)
        rows = [self._row(_reported(response), texts) for response in responses]
        return torch.tensor(rows, dtype=torch.float64).reshape(len(rows), len(texts)).float()

    def _row(self, probabilities: dict[str, float], texts: tuple[str, ...]) -> list[float]:
        found = _by_longest_start(probabilities, texts)
        rest = max(0.0, 1 - math.fsum(probabilities.values()))
        share = rest / max(1, found.count(None))
        return [self._log(share if value is None else value) for value in found]

    def _log(self, probability: float) -> float:
        return max(math.log(probability), self.floor) if probability > 0 else self.floor


def _reported(response: Response) -> dict[str, float]:
    """Probabilities by lower-case token text."""
    if response.top_logprobs is None:
        msg = (
            "LogprobScorer needs a black box that reports `top_logprobs`; found a response "
            "without. Use RetrievalScorer, which reads the text"
        )
        raise MLLMError(msg)
    return _merged(response.top_logprobs)


def _merged(logprobs: Mapping[str, float]) -> dict[str, float]:
    probabilities: dict[str, float] = {}
    for token, logprob in logprobs.items():
        key = token.strip().lower()
        probabilities[key] = probabilities.get(key, 0.0) + math.exp(logprob)
    return probabilities


def _by_longest_start(
    probabilities: Mapping[str, float], texts: tuple[str, ...]
) -> list[float | None]:
    """Return what each text's longest start among the tokens has, ``None`` where none is."""
    starts = _starts(texts)
    found: list[float | None] = [None] * len(texts)
    for token in sorted(probabilities, key=len):  # a longer one takes the place of a shorter
        for index in starts.get(token, ()):
            found[index] = probabilities[token]
    return found


@lru_cache(maxsize=8)
def _starts(texts: tuple[str, ...]) -> dict[str, list[int]]:
    """Return the texts that each string begins; white space, which begins all, is none."""
    starts: dict[str, list[int]] = {}
    for index, text in enumerate(texts):
        for length in range(1, len(text) + 1):
            starts.setdefault(text[:length], []).append(index)
    return starts
