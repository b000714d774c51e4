"""Which class text does a free answer resemble?"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize
from typing_extensions import override

from blackbox_anon.mllms.answers import Response
from blackbox_anon.scorers.abstract import AbstractScorer
from blackbox_anon.scorers.text_encoders import AbstractTextEncoder


class RetrievalScorer(AbstractScorer):
    """Cosine similarity between the answer and every class text, as VLM-Eval retrieves actions.

    Full stops are removed from the answer, which is then cut to ``max_characters``; class texts
    are taken as they are. Scores lie in ``[-1, 1]``; a text the encoder cannot read scores 0.

    Args:
        text_encoder: Embeds answers and class texts.
        max_characters: Where an answer is cut.

    Example:
        >>> from blackbox_anon.scorers import CharacterNGramEncoder
        >>> scorer = RetrievalScorer(CharacterNGramEncoder())
        >>> scores = scorer.scores([Response(text="He is swimming.")], ["walk", "swim"])
        >>> scores.argmax(dim=-1)
        tensor([1])

    Reference:
        `VLM-Eval (2023) <https://arxiv.org/abs/2311.11865>`_, retrieval-based action recognition.
    """

    def __init__(self, text_encoder: AbstractTextEncoder, max_characters: int = 77) -> None:
        if max_characters < 1:
            msg = f"`max_characters` must be positive; found {max_characters}"
            raise ValueError(msg)
        self.text_encoder = text_encoder
        self.max_characters = max_characters
        self._class_embeddings: dict[tuple[str, ...], Tensor] = {}

    @override
    def scores(self, responses: Sequence[Response], classes: Sequence[str]) -> Tensor:
        key = tuple(classes)
        if key not in self._class_embeddings:
            self._class_embeddings[key] = self._embed(key)
        answers = [response.text.replace(".", "")[: self.max_characters] for response in responses]
        return self._embed(answers) @ self._class_embeddings[key].T

    @torch.no_grad()
    def _embed(self, texts: Sequence[str]) -> Tensor:
        return normalize(self.text_encoder.encode(texts).cpu().float(), dim=-1)
