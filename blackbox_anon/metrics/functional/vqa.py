"""VQA accuracy: how many annotators gave this answer?"""

from collections.abc import Sequence
from typing import Literal, get_args

from blackbox_anon.metrics.functional.answer_text import (
    normalize_answer,
    punctuation_step,
    single_line,
)

VQAVariant = Literal["official", "official_2021", "both_sides"]


def vqa_accuracy(
    prediction: str, answers: Sequence[str], *, variant: VQAVariant = "official"
) -> float:
    r"""Compare a prediction with the annotators' answers, leaving out one annotator at a time.

    .. math:: \frac{1}{10} \sum_{i=1}^{10} \min\Bigl(1, \frac{\#\{j \ne i : a_j = p\}}{3}\Bigr)

    For ten answers of which ``n`` agree this is 0, 0.3, 0.6, 0.9 and, from four on, 1. OK-VQA asked
    five annotators and lists each answer twice, so there only 0, 0.6 and 1 occur.

    The variants differ in what is normalised, and so in the number:

    - ``official``, the script of 2015 that most published numbers come from: the prediction fully;
      the answers' punctuation, and only where the answers are not all the same.
    - ``official_2021``, the same script since March 2021: prediction and answers fully, but only
      where the answers are not all the same; else the texts are compared as they are.
    - ``both_sides``: prediction and answers fully, always (as lmms-eval does).

    Args:
        prediction: What the model said; it counts only if it is the answer and nothing else.
        answers: The annotators' answers, at least two, repetitions included.
        variant: What is normalised.

    Returns:
        A share in ``[0, 1]``.

    Raises:
        ValueError: If there are fewer than two answers or the variant is unknown.

    Example:
        >>> answers = ["pony tail"] * 6 + ["braid"] * 2 + ["ponytail"] * 2
        >>> [vqa_accuracy(p, answers) for p in ("A pony tail.", "braid", "bun")]
        [1.0, 0.6, 0.0]

    Reference:
        `VQA (Antol et al., ICCV 2015) <https://visualqa.org/evaluation.html>`_;
        `OK-VQA (Marino et al., CVPR 2019) <https://okvqa.allenai.org>`_.
    """
    check_variant(variant)
    if len(answers) < 2:
        raise ValueError(f"answers: expected at least two annotators, found {len(answers)}.")
    predicted, given = _NORMALIZED[variant](prediction, answers)
    agreeing, count = given.count(predicted), len(given)
    left_out = min(1.0, max(agreeing - 1, 0) / 3)  # one of those who agree is left out
    kept = min(1.0, agreeing / 3)
    # Rounded, or 0.6 + 0.3 + ... would depend on the order of a sum.
    return round((agreeing * left_out + (count - agreeing) * kept) / count, 12)


def check_variant(variant: str) -> None:
    """Raise unless the variant is a known one."""
    if variant not in get_args(VQAVariant):
        raise ValueError(f"variant: expected one of {get_args(VQAVariant)}, found {variant!r}.")


def _official(prediction: str, answers: Sequence[str]) -> tuple[str, list[str]]:
    same = len(set(answers)) == 1
    return normalize_answer(prediction), [a if same else punctuation_step(a) for a in answers]


def _official_2021(prediction: str, answers: Sequence[str]) -> tuple[str, list[str]]:
    given = [single_line(answer) for answer in answers]
    if len(set(given)) == 1:
        return single_line(prediction), given
    return normalize_answer(prediction), [normalize_answer(answer) for answer in given]


def _both_sides(prediction: str, answers: Sequence[str]) -> tuple[str, list[str]]:
    return normalize_answer(prediction), [normalize_answer(answer) for answer in answers]


_NORMALIZED = {
    "official": _official,
    "official_2021": _official_2021,
    "both_sides": _both_sides,
}
