"""One contender, one learning rate, one seed: L_AT over calls."""

import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.efficiency.contenders import contenders
from benchmarks.efficiency.course import Course
from blackbox_anon.estimators import AbstractEstimator, power_decay
from blackbox_anon.scalarizations.functional import augmented_tchebycheff_gradient

FIRST_MARK, MARK_GROWTH = 0.125, 1.15  # calls per sample of the evaluations


@dataclass(frozen=True, kw_only=True)
class Job:
    """A run to make.

    Attributes:
        contender: Its name.
        rate: Learning rate: the length of a first step down one objective, in parameter units.
        seed: Of clips, order and directions.
        budget: Calls per sample.
        stop_below: L_AT at which nothing more is to be learned; 0 for never.
        stop_after: Calls per sample before which a run does not stop.
    """

    contender: str
    rate: float
    seed: int
    budget: float
    stop_below: float = 0.0
    stop_after: float = 0.0

    def path(self, folder: Path) -> Path:
        """Where the result is kept."""
        name = self.contender.replace(" ", "_")
        return folder / f"{name}-rate{self.rate:g}-seed{self.seed}-budget{self.budget:g}.json"


class RunningNorm:
    """Root mean square of a gradient's norms so far, recent ones counting most.

    Estimates differ in length by a factor of a thousand; divided by this, one range of learning
    rates suits them all, and the two objectives compare.
    """

    def __init__(self, decay: float = 0.9) -> None:
        self.decay, self.square, self.weight = decay, 0.0, 0.0

    def __call__(self, gradient: Tensor) -> Tensor:
        """Take in a gradient and return it scaled; zeros pass without a trace."""
        square = float(gradient.square().sum())
        if square > 0:
            self.square = self.decay * self.square + (1 - self.decay) * square
            self.weight = self.decay * self.weight + 1 - self.decay
        return gradient * math.sqrt(self.weight / self.square) if self.square > 0 else gradient


def run(job: Job, course: Course) -> dict[str, object]:
    """Make a run and return what its JSON file holds."""
    start = time.perf_counter()
    estimator = contenders(course.mllm)[job.contender](job.seed)
    estimator.allocate(len(course.start))
    points = _descend(job, course, estimator)
    return {
        "job": asdict(job),
        "settings": course.settings.plain(),
        "points": points,
        "seconds": time.perf_counter() - start,
    }


def _descend(job: Job, course: Course, estimator: AbstractEstimator) -> list[list[float]]:
    """Return ``[calls per sample, L_AT, L_MLLM, L_privacy]`` at growing numbers of calls."""
    clips = course.clips("train", course.settings.train_clips, job.seed)
    batches = course.batches(clips, job.seed)
    utility_scale, privacy_scale = RunningNorm(), RunningNorm()
    theta, queries, step, mark = course.start.clone(), 0, 0, FIRST_MARK
    points = [[0.0, *course.evaluate(theta)]]
    while points[-1][0] < job.budget:
        batch, step = next(batches), step + 1
        estimate = estimator(theta, course.problem(batch))
        queries += estimate.queries
        loss, gradient = course.privacy(batch, theta)
        active = course.distances(torch.stack([estimate.loss, loss])).argmax()
        estimator.heed(active)
        both = torch.stack([utility_scale(estimate.gradient), privacy_scale(gradient)])
        weights, sigma = course.weights(both), course.settings.augmentation
        combined = augmented_tchebycheff_gradient(weights, both, active, sigma) / weights[active]
        theta = theta - job.rate * power_decay(1.0, course.settings.step_decay, step) * combined
        calls = queries / course.settings.train_clips
        if calls >= min(mark, job.budget):
            points.append([calls, *course.evaluate(theta)])
            mark = calls * MARK_GROWTH
            if points[-1][1] <= job.stop_below and calls >= job.stop_after:
                break
    return points


def load(job: Job, course_settings: dict[str, object], folder: Path) -> dict[str, object] | None:
    """Read a finished run; ``None`` if there is none or it was made with other settings."""
    path = job.path(folder)
    if not path.is_file():
        return None
    found: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    same = found["job"] == asdict(job) and found["settings"] == course_settings
    return found if same else None


def save(found: dict[str, object], job: Job, folder: Path) -> None:
    """Write a run, whole or not at all, so that an interrupted benchmark can go on."""
    folder.mkdir(parents=True, exist_ok=True)
    path = job.path(folder)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(found), encoding="utf-8")
    partial.replace(path)
