"""Measure one method: does the MLLM still answer, does an attacker still see."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from blackbox_anon.anonymizers import AbstractAnonymizer
from blackbox_anon.evaluation.attacker import AttackBudget, attack, train_attacker
from blackbox_anon.evaluation.clips import ClipSet, anonymize_clips
from blackbox_anon.metrics.functional import (
    average_precision_per_attribute,
    chance_average_precision,
    precision_per_attribute,
    wilson_interval,
)
from blackbox_anon.mllms import AbstractMLLM, Answer, Response, answered
from blackbox_anon.report import AttributeScore, MethodResult, Privacy, Utility
from blackbox_anon.scorers import AbstractScorer
from blackbox_anon.tasks import FailurePolicy
from blackbox_anon.tasks.failure_log import FailureLog

NO_CLASS = -1


@dataclass(frozen=True, kw_only=True)
class Question:
    """What the MLLM is asked about every clip, and how its answers are read."""

    prompt: str
    classes: Sequence[str]
    scorer: AbstractScorer


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A method's figures with what the pictures need.

    Attributes:
        result: The entry of ``results.json``.
        clips: Anonymized test clips, ``(N, T, 3, H, W)``, uint8.
        predicted: The MLLM's classes, ``(N,)``; -1 where a call failed.
        scores: The attacker's probabilities, ``(N, A)``.
    """

    result: MethodResult
    clips: Tensor
    predicted: Tensor
    scores: Tensor


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the MLLM answered to one question about many clips.

    Attributes:
        predicted: The classes it named, ``(N,)``; -1 where a call failed.
        failures: Failed calls by kind, where there were any.
    """

    predicted: Tensor
    failures: dict[str, int]


def ask(
    mllm: AbstractMLLM,
    question: Question,
    clips: Tensor,
    anonymizer: AbstractAnonymizer,
    batch_size: int = 32,
) -> Asked:
    """Ask which class the MLLM sees in each clip that the anonymizer made.

    Raises:
        TooManyFailuresError: If no call was answered, or fewer than the default
            :class:`~blackbox_anon.tasks.FailurePolicy` allows.
    """
    found: list[Answer] = []
    log = FailureLog(FailurePolicy())
    for part in clips.split(batch_size):
        answers = mllm.query(anonymizer.release(part), [question.prompt] * len(part))
        log.add(log.tally(answers))
        found += answers
    log.require_an_answer()
    responses = [answer for answer in found if isinstance(answer, Response)]
    predicted = torch.full((len(found),), NO_CLASS)
    predicted[answered(found)] = question.scorer.scores(responses, question.classes).argmax(1)
    return Asked(predicted=predicted, failures=log.failed)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a method made of the clips, and what the MLLM said to it.

    Attributes:
        method: Name in the table.
        seen: Anonymized training clips, ``(N, T, 3, H, W)``, uint8.
        clips: Anonymized test clips.
        asked: About the test clips.
        queries: What that took.
        seconds: What all of it took.
    """

    method: str
    seen: Tensor
    clips: Tensor
    asked: Asked
    queries: int
    seconds: float


def show(
    method: str,
    anonymizer: AbstractAnonymizer,
    mllm: AbstractMLLM,
    question: Question,
    *,
    train: ClipSet,
    test: ClipSet,
) -> Shown:
    """Anonymize training and test clips, and ask the MLLM about the latter.

    Args:
        method: Name in the table.
        anonymizer: What is measured.
        mllm: The black box.
        question: What it is asked.
        train: Training clips for an attacker.
        test: Test clips.

    Raises:
        TooManyFailuresError: See :func:`ask`.
    """
    start, spent = time.monotonic(), mllm.queries
    seen, clips = anonymize_clips(anonymizer, train), anonymize_clips(anonymizer, test)
    asked = ask(mllm, question, clips, anonymizer)
    return Shown(
        method=method,
        seen=seen,
        clips=clips,
        asked=asked,
        queries=mllm.queries - spent,
        seconds=time.monotonic() - start,
    )


def judge(
    shown: Shown, *, train: ClipSet, test: ClipSet, budget: AttackBudget, attributes: Sequence[str]
) -> Measured:
    """Train an attacker on a method's training clips, and attack its test clips.

    Utility is taken over the clips that were answered; the result says how many calls failed.

    Args:
        shown: What the method made of both sets.
        train: Whose every frame is one image for the attacker.
        test: Utility and privacy are measured on the same clips.
        budget: The attacker's budget.
        attributes: Attribute ids, ``A`` of them.
    """
    start, asked = time.monotonic(), shown.asked
    per_image = train.attributes.repeat_interleave(shown.seen.shape[1], 0)
    attacker = train_attacker(shown.seen.flatten(0, 1), per_image, budget)
    scores = attack(attacker, shown.clips)
    result = MethodResult(
        method=shown.method,
        utility=_utility((asked.predicted == test.labels)[asked.predicted != NO_CLASS]),
        privacy=_privacy(scores, test.attributes, attributes),
        mllm_queries=shown.queries,
        seconds=shown.seconds + time.monotonic() - start,
        mllm_failures=asked.failures,
    )
    return Measured(result=result, clips=shown.clips, predicted=asked.predicted, scores=scores)


def _utility(hits: Tensor) -> Utility:
    count = int(hits.sum())
    return Utility(name="Top-1", value=count / len(hits), ci95=wilson_interval(count, len(hits)))


def _privacy(scores: Tensor, present: Tensor, names: Sequence[str]) -> Privacy:
    ap = average_precision_per_attribute(scores, present)
    precision = precision_per_attribute(scores, present)
    chance = chance_average_precision(present)
    return Privacy(
        cmap_ap=float(ap.nanmean()),
        cmap_precision=float(precision.nan_to_num(0.0).mean()),
        chance_ap=float(chance.nanmean()),
        per_attribute={
            name: AttributeScore(
                ap=None if a.isnan() else float(a),
                precision=None if p.isnan() else float(p),
                chance=float(c.nan_to_num(0.0)),
            )
            for name, a, p, c in zip(names, ap, precision, chance, strict=True)
        },
    )
