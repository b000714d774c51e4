"""Measure a method: utility by the MLLM's answers, privacy by an attacker trained from scratch.

The attacker learns from the method's own anonymized training clips, with the same budget for every
method: a classifier trained on raw data overstates protection.
"""

from blackbox_anon.evaluation.attacker import AttackBudget, attack, train_attacker
from blackbox_anon.evaluation.clips import ClipSet, anonymize_clips, draw_clips
from blackbox_anon.evaluation.compare import (
    NO_CLASS,
    Asked,
    Measured,
    Question,
    Shown,
    ask,
    judge,
    show,
)

__all__ = [
    "NO_CLASS",
    "Asked",
    "AttackBudget",
    "ClipSet",
    "Measured",
    "Question",
    "Shown",
    "anonymize_clips",
    "ask",
    "attack",
    "draw_clips",
    "judge",
    "show",
    "train_attacker",
]
