"""How far does each estimate point where the true gradient points?"""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from benchmarks.efficiency.contenders import contenders
from benchmarks.efficiency.course import Course
from blackbox_anon.estimators import WhiteBox


def cosines(
    course: Course, names: Iterable[str], *, steps: int, seed: int
) -> dict[str, list[float]]:
    """Compare estimates at the start with the white-box gradient over a whole training set.

    Args:
        course: Where.
        names: Contenders.
        steps: Estimates per contender, each of another batch.
        seed: Of clips, order and directions.

    Returns:
        Mean cosine of one estimate, and cosine of the mean of all, by contender.
    """
    clips = course.clips("train", course.settings.train_clips, seed)
    exact, total = WhiteBox(course.mllm), torch.zeros_like(course.start)
    for chosen in torch.arange(len(clips.names)).split(course.settings.batch_size):
        part = exact(course.start, course.problem(clips.take(chosen))).gradient
        total += part * len(chosen) / len(clips.names)
    found: dict[str, list[float]] = {}
    for name in names:
        estimator = contenders(course.mllm)[name](seed)
        estimator.allocate(len(course.start))
        batches = course.batches(clips, seed)
        estimates = torch.stack(
            [estimator(course.start, course.problem(next(batches))).gradient for _ in range(steps)]
        )
        mean = _cosine(estimates.mean(0), total)
        found[name] = [float(_cosine(estimates, total).mean()), float(mean)]
    return found


def _cosine(first: Tensor, second: Tensor) -> Tensor:
    return cosine_similarity(first, second.expand_as(first), dim=-1)
