"""Black boxes whose loss is known in closed form, for tests of everything that queries one."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from blackbox_anon.mllms import AbstractMLLM, Answer, Failure, FailureKind, Response


class QuadraticMLLM(AbstractMLLM):
    """Answers ``yes`` with probability ``exp(-mean((frames - target) ** 2))``.

    With ``LogprobScorer``, classes ``["yes", "no"]``, label 0 and ``logit_scale`` 1, the
    cross-entropy is exactly the mean squared distance of the 8-bit frames to ``target``.
    """

    def __init__(self, target: float | Tensor = 0.5) -> None:
        super().__init__()
        self.target = target
        self.seen: list[Tensor] = []
        """The uint8 clips of every call."""

    def _respond(self, frames: Tensor, prompts: Sequence[str]) -> list[Response]:  # noqa: ARG002
        self.seen.append(frames)
        return [self._answer(distance) for distance in self.loss(frames / 255).tolist()]

    def loss(self, frames: Tensor) -> Tensor:
        """The differentiable truth: loss per clip, in nats."""
        return (frames.double() - self.target).square().flatten(1).mean(dim=1)

    @staticmethod
    def _answer(distance: float) -> Response:
        logprobs = {"yes": -distance}
        if distance > 0:
            logprobs["no"] = math.log(-math.expm1(-distance))
        return Response(text=max(logprobs, key=logprobs.__getitem__), top_logprobs=logprobs)


class LinearMLLM(AbstractMLLM):
    """Scores class ``k`` with ``slopes[k]`` times the mean pixel, then normalises.

    The loss is the cross-entropy of those logits: smooth, with a gradient known everywhere.
    """

    def __init__(self, classes: Sequence[str], slopes: Sequence[float]) -> None:
        super().__init__()
        self.classes = list(classes)
        self.slopes = torch.tensor(slopes, dtype=torch.float64)

    def _respond(self, frames: Tensor, prompts: Sequence[str]) -> list[Response]:  # noqa: ARG002
        responses = []
        for row in self.logits(frames / 255).log_softmax(dim=-1).tolist():
            logprobs = dict(zip(self.classes, row, strict=True))
            text = max(logprobs, key=logprobs.__getitem__)
            responses.append(Response(text=text, top_logprobs=logprobs))
        return responses

    def logits(self, frames: Tensor) -> Tensor:
        """The differentiable truth: class logits, shape ``(B, K)``."""
        return frames.double().flatten(1).mean(dim=1, keepdim=True) * self.slopes


class ConstantMLLM(AbstractMLLM):
    """The same answer to everything: both halves of a pair agree, so a gradient must be zero."""

    def __init__(self, text: str = "yes") -> None:
        super().__init__()
        self.text = text

    def _respond(self, frames: Tensor, prompts: Sequence[str]) -> list[Response]:  # noqa: ARG002
        return [Response(text=self.text, top_logprobs={self.text: 0.0}) for _ in prompts]


class TextOnlyMLLM(AbstractMLLM):
    """Answers ``bright`` or ``dark`` and gives no log-probabilities, as some services do."""

    def _respond(self, frames: Tensor, prompts: Sequence[str]) -> list[Response]:  # noqa: ARG002
        bright = frames.float().flatten(1).mean(dim=1) > 127.5
        return [Response(text="bright" if value else "dark") for value in bright.tolist()]


class ForgetfulMLLM(AbstractMLLM):
    """Loses the last answer, which the base class must notice."""

    def _respond(self, frames: Tensor, prompts: Sequence[str]) -> list[Response]:  # noqa: ARG002
        return [Response(text="yes") for _ in prompts[1:]]


class FlakyMLLM(AbstractMLLM):
    """Another black box of which a seeded share of answers is lost, drawn anew for every call.

    Args:
        mllm: What answers.
        share: What is lost; of several shares one per call, the last one for all further calls.
        seed: Of the schedule.
        kind: Of the failures.
    """

    def __init__(
        self,
        mllm: AbstractMLLM,
        share: float | Sequence[float],
        seed: int = 0,
        kind: FailureKind = "timeout",
    ) -> None:
        super().__init__()
        self.mllm, self.kind = mllm, kind
        self.shares = [share] if isinstance(share, float) else list(share)
        self.generator = torch.Generator().manual_seed(seed)
        self.lost: list[Tensor] = []
        """Which answers of every call were lost, shape ``(B,)``, bool."""

    def _respond(self, frames: Tensor, prompts: Sequence[str]) -> list[Answer]:
        share = self.shares[min(len(self.lost), len(self.shares) - 1)]
        lost = torch.rand(len(prompts), generator=self.generator) < share
        self.lost.append(lost)
        failure = Failure(kind=self.kind, message=f"call {len(self.lost)} was lost")
        answers = self.mllm.query(frames, prompts)
        return [failure if gone else a for gone, a in zip(lost.tolist(), answers, strict=True)]


def responses(answers: Sequence[Answer]) -> list[Response]:
    """The same answers, none of which may be a failure."""
    found = [answer for answer in answers if isinstance(answer, Response)]
    assert len(found) == len(answers), answers
    return found
