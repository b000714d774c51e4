"""Keep what a batch was found to lose, whoever asks about it, and in whatever parts."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from blackbox_anon.estimators.problem import Asked, BlackBoxProblem
from blackbox_anon.mllms import to_uint8


class Heard:
    """What was asked about and answered in a step, of the samples whose turn it is.

    Args:
        turn: Number of the step.
        every: Every so manieth sample is listened to.
    """

    def __init__(self, turn: int, every: int) -> None:
        self._turn, self._every = turn, every
        self._frames: list[Tensor] = []
        self._labels: list[Tensor] = []
        self._losses: list[Tensor] = []
        self._samples: list[Tensor] = []

    def add(self, frames: Tensor, losses: Tensor, labels: Tensor, first: int) -> None:
        """Take ``n`` versions of ``b`` samples, shape ``(n * b, ...)``, with ``b`` labels.

        The first of these samples is the batch's sample number ``first``.
        """
        size = len(labels)
        rows = torch.arange(len(losses), device=losses.device)
        samples = first + rows % size
        chosen = ((samples + self._turn) % self._every == 0) & losses.isfinite()
        rows = rows[chosen]
        if not len(rows):
            return
        self._samples.append(samples[chosen])
        self._frames.append(to_uint8(frames.detach()[rows.to(frames.device)]))
        self._labels.append(labels[(rows % size).to(labels.device)])
        self._losses.append(losses.detach()[rows])

    def told(self) -> dict[str, Tensor] | None:
        """Return ``frames`` (uint8), ``labels`` and ``losses`` of the queries that did not fail.

        Sample by sample, so that their order does not depend on the parts they were asked in.
        """
        if not self._losses:
            return None
        order = torch.cat(self._samples).argsort(stable=True)
        kept = {"frames": self._frames, "labels": self._labels, "losses": self._losses}
        cat = {name: torch.cat(parts) for name, parts in kept.items()}
        return {name: values[order.to(values.device)] for name, values in cat.items()}


def overhear(problem: BlackBoxProblem, heard: Heard, first: int = 0) -> BlackBoxProblem:
    """Return the same problem, whose answers are heard.

    Args:
        problem: A question of classes.
        heard: Takes what is answered.
        first: Number of the problem's first sample within the batch.
    """
    subset, parts, labels = problem.subset, problem.parts, asked_classes(problem).labels

    def losses(frames: Tensor) -> Tensor:
        found = problem.ask(frames)
        heard.add(frames, found, labels, first)
        return found

    return replace(
        problem,
        losses=losses,
        subset=None if subset is None else lambda chosen: overhear(subset(chosen), heard),
        parts=None if parts is None else lambda: _parts(parts(), heard),
    )


def _parts(parts: Iterable[BlackBoxProblem], heard: Heard) -> Iterator[BlackBoxProblem]:
    first = 0
    for part in parts:
        yield overhear(part, heard, first)
        first += len(asked_classes(part).labels)


def asked_classes(problem: BlackBoxProblem) -> Asked:
    """Return which classes are asked about.

    Raises:
        ValueError: If the problem does not say.
    """
    if problem.asked is None:
        msg = (
            "`problem.asked` must say which classes are asked about: a surrogate answers no other "
            "questions; found None"
        )
        raise ValueError(msg)
    return problem.asked
