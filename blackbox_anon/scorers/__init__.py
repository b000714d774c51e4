"""From what the black box said to a score per class.

:class:`RetrievalScorer` reads the text alone; :class:`LogprobScorer` reads the log-probabilities
that some services report with it, and gives a loss that changes smoothly with the pixels;
:class:`LikelihoodScorer` those of whole class texts, which a local model's grey box reports.
:class:`AnswerSimilarity` compares an answer with those that people gave.

Example:
    >>> from blackbox_anon.mllms import Response
    >>> from blackbox_anon.scorers import CharacterNGramEncoder, RetrievalScorer
    >>> scorer = RetrievalScorer(CharacterNGramEncoder())
    >>> answers = [Response(text="She is running."), Response(text="A person walks")]
    >>> scorer.scores(answers, ["walk", "run"]).argmax(dim=-1)
    tensor([1, 0])
"""

from blackbox_anon.scorers.abstract import AbstractScorer
from blackbox_anon.scorers.answer_similarity import Aggregation, AnswerSimilarity
from blackbox_anon.scorers.class_texts import camel_case_to_text, underscore_to_text
from blackbox_anon.scorers.likelihood import LikelihoodScorer
from blackbox_anon.scorers.logprob import LogprobScorer
from blackbox_anon.scorers.retrieval import RetrievalScorer
from blackbox_anon.scorers.text_encoders import (
    AbstractTextEncoder,
    CharacterNGramEncoder,
    OpenCLIPTextEncoder,
)

__all__ = [
    "AbstractScorer",
    "AbstractTextEncoder",
    "Aggregation",
    "AnswerSimilarity",
    "CharacterNGramEncoder",
    "LikelihoodScorer",
    "LogprobScorer",
    "OpenCLIPTextEncoder",
    "RetrievalScorer",
    "camel_case_to_text",
    "underscore_to_text",
]
