"""How far is a free answer from those that people gave?"""

from collections import Counter
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import normalize

from blackbox_anon.metrics.functional import normalize_answer
from blackbox_anon.mllms.answers import Response
from blackbox_anon.scorers.text_encoders import AbstractTextEncoder

Aggregation = Literal["mean", "distinct_mean", "max", "most_common"]


class AnswerSimilarity:
    r"""Cosine similarity between an answer and the ground-truth answers, as text embeddings.

    .. math:: L = 1 - \operatorname{agg}_j \cos\bigl(e(p), e(a_j)\bigr) \in [0, 2]

    The paper names a "CLIP cosine distance" and leaves the aggregation open. Texts are normalised
    as VQA evaluation does, so that a full stop or an article costs nothing.

    Args:
        text_encoder: Embeds both sides.
        aggregation: ``mean`` over all answers, so that one given often weighs more, and the loss is
            smooth; ``distinct_mean`` over different answers; ``max``, the closest; ``most_common``,
            the answer given most often, the first of several.

    Raises:
        ValueError: If ``aggregation`` is unknown.

    Example:
        >>> from blackbox_anon.scorers import CharacterNGramEncoder
        >>> similarity = AnswerSimilarity(CharacterNGramEncoder(), aggregation="max")
        >>> answers = [["pony tail"] * 8 + ["braid"] * 2] * 2
        >>> said = [Response(text="A pony tail."), Response(text="volleyball")]
        >>> near, far = similarity.losses(said, answers)
        >>> round(near.item(), 4), bool(far > 0.5)
        (0.0, True)
    """

    def __init__(
        self, text_encoder: AbstractTextEncoder, aggregation: Aggregation = "mean"
    ) -> None:
        if aggregation not in get_args(Aggregation):
            msg = f"`aggregation` must be one of {get_args(Aggregation)}; found {aggregation!r}"
            raise ValueError(msg)
        self.text_encoder = text_encoder
        self.aggregation: Aggregation = aggregation

    def losses(self, responses: Sequence[Response], answers: Sequence[Sequence[str]]) -> Tensor:
        """Return ``1 - similarity`` of each response.

        Args:
            responses: ``B`` answers of the black box.
            answers: Ground-truth answers to each of the ``B`` questions.

        Returns:
            Shape ``(B,)``, float32 on the CPU, in ``[0, 2]``.

        Raises:
            ValueError: If the lengths differ or a question has no answer.
        """
        if len(answers) != len(responses) or not all(answers):
            msg = f"`answers` must hold answers to {len(responses)} questions; found {answers}"
            raise ValueError(msg)
        said = [normalize_answer(response.text) for response in responses]
        compared = [self._compared([normalize_answer(a) for a in given]) for given in answers]
        texts = sorted({*said, *(text for given in compared for text in given)})
        vectors = dict(zip(texts, self._embed(texts), strict=True))
        similar = [
            self._aggregate(torch.stack([vectors[text] for text in given]) @ vectors[prediction])
            for prediction, given in zip(said, compared, strict=True)
        ]
        return (1 - torch.stack(similar)).clamp(0, 2)  # rounding must not make a loss negative

    def _compared(self, answers: list[str]) -> list[str]:
        if self.aggregation == "most_common":
            return [Counter(answers).most_common(1)[0][0]]
        return answers if self.aggregation == "mean" else list(dict.fromkeys(answers))

    def _aggregate(self, cosines: Tensor) -> Tensor:
        return cosines.max() if self.aggregation == "max" else cosines.mean()

    @torch.no_grad()
    def _embed(self, texts: Sequence[str]) -> Tensor:
        return normalize(self.text_encoder.encode(texts).cpu().float(), dim=-1)
