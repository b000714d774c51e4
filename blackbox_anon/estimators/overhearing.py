"""Keep what a batch was found to lose, whoever asks about it, and in whatever parts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from blackbox_anon.estimators.problem import Asked, BlackBoxProblem
from blackbox_anon.mllms import to_uint8


@dataclass(frozen=True, kw_only=True)
class _Sent:
    """Versions of samples: 8-bit frames, labels, numbers of the samples, rows in the question."""

    frames: Tensor
    labels: Tensor
    samples: Tensor
    rows: Tensor


class Heard:
    """What was asked about and answered in a step, of the samples whose turn it is.

    Args:
        turn: Number of the step.
        every: Every so manieth sample is listened to.
    """

    def __init__(self, turn: int, every: int) -> None:
        self._turn, self._every = turn, every
        self._heard: list[tuple[_Sent, Tensor]] = []

    def sent(self, frames: Tensor, labels: Tensor, first: int) -> "_Sent":
        """Keep what is about to be asked, of the samples whose turn it is; no answer is needed.

        Args:
            frames: ``n`` versions of ``b`` samples, shape ``(n * b, ...)``.
            labels: Of the samples, shape ``(b,)``.
            first: Number of the first of these samples within the batch.
        """
        rows = torch.arange(len(frames), device=labels.device)
        samples = first + rows % len(labels)
        listened = (samples + self._turn) % self._every == 0
        rows = rows[listened]
        kept = frames.detach()[rows.to(frames.device)]
        return _Sent(
            frames=to_uint8(kept) if len(kept) else kept.to(torch.uint8),
            labels=labels[rows % len(labels)],
            samples=samples[listened],
            rows=rows,
        )

    def add(self, sent: "_Sent", losses: Tensor) -> None:
        """Take the answers to what was sent, shape ``(n * b,)``; NaN is none."""
        self._heard.append((sent, losses.detach()))

    def told(self) -> dict[str, Tensor]:
        """Return ``frames`` (uint8), ``labels`` and ``losses`` of the queries that did not fail.

        Sample by sample, so that their order does not depend on the parts they were asked in. Empty
        where nobody asked.
        """
        if not self._heard:
            return {}
        losses = torch.cat([found[sent.rows.to(found.device)] for sent, found in self._heard])
        samples = torch.cat([sent.samples for sent, _ in self._heard])
        order = samples.argsort(stable=True)
        order = order[losses.isfinite().to(order.device)[order]]
        kept = {
            "frames": torch.cat([sent.frames for sent, _ in self._heard]),
            "labels": torch.cat([sent.labels for sent, _ in self._heard]),
            "losses": losses,
        }
        return {name: values[order.to(values.device)] for name, values in kept.items()}


def overhear(problem: BlackBoxProblem, heard: Heard, first: int = 0) -> BlackBoxProblem:
    """Return the same problem, whose answers are heard.

    Args:
        problem: A question of classes.
        heard: Takes what is answered.
        first: Number of the problem's first sample within the batch.
    """
    subset, parts, labels = problem.subset, problem.parts, asked_classes(problem).labels

    def losses(frames: Tensor) -> Tensor:
        sent = heard.sent(frames, labels, first)
        found = problem.ask(frames)
        heard.add(sent, found)
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
