"""Tasks: what is trained, on which question, and how a step goes.

A new utility task is a subclass of :class:`BlackBoxAnonymization` with two methods: what to ask,
and how good an answer is.
"""

from blackbox_anon.tasks.abstract import AbstractTask
from blackbox_anon.tasks.action import ActionRecognition
from blackbox_anon.tasks.black_box import BlackBoxAnonymization
from blackbox_anon.tasks.failure_policy import FailurePolicy
from blackbox_anon.tasks.questions import QuestionAnswering
from blackbox_anon.tasks.reconstruction import ReconstructionTask
from blackbox_anon.tasks.surrogate import SurrogateTask
from blackbox_anon.tasks.vqa import VisualQuestionAnswering

__all__ = [
    "AbstractTask",
    "ActionRecognition",
    "BlackBoxAnonymization",
    "FailurePolicy",
    "QuestionAnswering",
    "ReconstructionTask",
    "SurrogateTask",
    "VisualQuestionAnswering",
]
