"""How likely did the black box find each class text as its whole answer?"""

from collections.abc import Sequence

import torch
from torch import Tensor
from typing_extensions import override

from blackbox_anon.errors import MLLMError
from blackbox_anon.mllms.answers import Response
from blackbox_anon.scorers.abstract import AbstractScorer


class LikelihoodScorer(AbstractScorer):
    """The log-probability that was reported for the class text, in nats, as it is.

    For a black box that scores all classes, as :class:`~blackbox_anon.mllms.HuggingFaceMLLM` does
    with ``grey_box``. :class:`LogprobScorer` would cut them off at its floor: a class of four
    tokens is easily less likely than that. Scores are not normalised over the classes; the softmax
    of the cross-entropy does that, so with ``logit_scale`` 1 the loss is that of the model made to
    choose.

    Example:
        >>> response = Response(text="A man", top_logprobs={"play piano": -30.5, "run": -42.0})
        >>> LikelihoodScorer().scores([response], ["run", "play piano"])
        tensor([[-42.0000, -30.5000]])
    """

    @override
    def scores(self, responses: Sequence[Response], classes: Sequence[str]) -> Tensor:
        rows = [[_reported(response, name) for name in classes] for response in responses]
        return torch.tensor(rows, dtype=torch.float32).reshape(len(rows), len(classes))


def _reported(response: Response, name: str) -> float:
    reported = response.top_logprobs or {}
    if name not in reported:
        msg = (
            "LikelihoodScorer needs a black box that reports a log-probability for every class, "
            f"such as HuggingFaceMLLM with `grey_box`; found none for {name!r}"
        )
        raise MLLMError(msg)
    return reported[name]
