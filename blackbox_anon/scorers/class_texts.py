"""Class names as they stand in the data sets, written as text."""

import re


def camel_case_to_text(name: str) -> str:
    """Write a UCF101 class name as VLM-Eval does.

    Words are split at capitals; the first keeps its capital unless it is the only one.

    Example:
        >>> camel_case_to_text("ApplyEyeMakeup"), camel_case_to_text("Archery")
        ('Apply eye makeup', 'archery')

    Reference:
        `VLM-Eval (2023) <https://arxiv.org/abs/2311.11865>`_.
    """
    words = [word for word in re.split(r"(?=[A-Z])", name) if word]
    if len(words) < 2:
        return name.lower()
    return " ".join([words[0], *(word.lower() for word in words[1:])])


def underscore_to_text(name: str) -> str:
    """Write an HMDB51 class name as VLM-Eval does.

    Example:
        >>> underscore_to_text("shoot_ball")
        'shoot ball'
    """
    return name.replace("_", " ")
