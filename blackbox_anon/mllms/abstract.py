"""The black-box contract: frames and prompts in, text out, every query counted."""

import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from blackbox_anon.errors import MLLMError
from blackbox_anon.mllms.answers import Answer, Usage
from blackbox_anon.mllms.released import AnonymizedFrames, RawFrames

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class Request:
    """One clip and one prompt.

    Attributes:
        frames: uint8 ``(T, 3, H, W)``; an image is a clip of one frame.
        prompt: The question.
    """

    frames: Tensor
    prompt: str


def to_uint8(frames: Tensor) -> Tensor:
    """Round frames in ``[0, 1]`` to the 8-bit images a service would receive; uint8 passes through.

    Raises:
        ValueError: If float frames leave ``[0, 1]`` by more than rounding, or are not finite.

    Example:
        >>> to_uint8(torch.tensor([0.0, 0.5, 1.0]))
        tensor([  0, 128, 255], dtype=torch.uint8)
    """
    if frames.dtype == torch.uint8:
        return frames
    low, high = torch.aminmax(frames)
    if not (low >= -1e-4 and high <= 1 + 1e-4):  # also catches nan
        msg = f"`frames` must be in [0, 1]; found [{low.item():.4g}, {high.item():.4g}]"
        raise ValueError(msg)
    levels = frames.mul(255).add_(0.5)
    if low < 0 or high > 1:
        levels.clamp_(0, 255.5)
    return levels.to(torch.uint8)


class AbstractMLLM(ABC):
    """A multimodal LLM behind its service interface.

    It is deliberately no ``nn.Module``: it never becomes a submodule of a task, never enters a
    checkpoint, and offers neither parameters nor gradients. Subclasses implement :meth:`_respond`;
    one that wants its answers cached, or is paid for, also says what identifies and costs them.
    """

    def __init__(self) -> None:
        self._queries = 0

    @property
    def queries(self) -> int:
        """Queries made through this object: one per clip and prompt."""
        return self._queries

    @property
    def sends_images(self) -> bool:
        """Whether pixels leave this machine: then only :class:`AnonymizedFrames` are accepted."""
        return False

    @property
    def answers_beside(self) -> bool:
        """Whether the caller loses nothing by working while it answers; a service: it does not."""
        return self.sends_images

    @property
    def identity(self) -> Mapping[str, object]:
        """What, beside a request's payload, decides an answer: model, parameters; JSON values."""
        return {"class": type(self).__qualname__}

    def offer(self, choices: Sequence[str]) -> None:
        """Say which answers are possible; a task of classes does so before it asks anything.

        A back-end that can hold its answers to them, or score them, may do so; this one ignores
        them. Choices of its own, given to its constructor, come first, and a wrapper passes them
        on. Each call replaces what was offered before; an empty sequence takes it back.

        Args:
            choices: Texts, in label order.
        """
        del choices

    def payload(self, request: Request) -> bytes:
        """Return the exact bytes that ask this request; answers are cached by them."""
        head = json.dumps({"shape": list(request.frames.shape), "prompt": request.prompt})
        return head.encode() + b"\0" + request.frames.contiguous().cpu().numpy().tobytes()

    def worst_case(self, request: Request) -> Usage:
        """Return the most that one attempt can be billed; nothing for a local one."""
        del request
        return Usage()

    def figures(self) -> dict[str, float]:
        """Return what is worth drawing: spent, cap, attempts, failures, cache hits, by name."""
        return {}

    @final
    @torch.no_grad()
    def query(
        self,
        frames: Tensor | AnonymizedFrames | RawFrames,
        prompts: Sequence[str],
        *,
        meanwhile: Callable[[], None] | None = None,
    ) -> list[Answer]:
        """Ask one prompt about each clip.

        Args:
            frames: Clips ``(B, T, 3, H, W)`` or images ``(B, 3, H, W)``; float in ``[0, 1]``
                (rounded to 8 bits here) or uint8. Where pixels leave the machine it must be
                :class:`AnonymizedFrames`, or :class:`RawFrames` with a purpose, which is logged.
            prompts: ``B`` questions.
            meanwhile: Work for the time in which requests are under way. It is called once, in this
                thread and without gradients, when all of them are handed over; not at all by a
                back-end that answers in this thread, as most local models do. What it raises is
                raised here, after the requests under way had time to end.

        Returns:
            ``B`` answers, in order, each a :class:`Response` or a :class:`Failure`.

        Raises:
            TypeError: If pixels would leave the machine and ``frames`` is a plain tensor.
            ValueError: If shapes or ranges are off.
            MLLMError: If the back-end does not return ``B`` answers.
        """
        pixels = self._released(frames)
        if pixels.ndim not in (4, 5) or pixels.shape[-3] != 3:
            msg = f"`frames` must be (B, T, 3, H, W) or (B, 3, H, W); found {tuple(pixels.shape)}"
            raise ValueError(msg)
        if len(prompts) != len(pixels):
            msg = f"`prompts` must hold one question per clip ({len(pixels)}); found {len(prompts)}"
            raise ValueError(msg)
        images = to_uint8(pixels.detach())
        clips = images if images.ndim == 5 else images.unsqueeze(1)
        return self._ask(clips, prompts, meanwhile)

    @final
    @torch.no_grad()
    def _ask(
        self,
        clips: Tensor,
        prompts: Sequence[str],
        meanwhile: Callable[[], None] | None = None,
    ) -> list[Answer]:
        """Ask about clips that passed the choke point, here or at a wrapper; counts queries."""
        self._queries += len(prompts)
        if meanwhile is None:
            answers = self._respond(clips, prompts)
        else:
            answers = self._respond_meanwhile(clips, prompts, meanwhile)
        if len(answers) != len(prompts):
            name = type(self).__name__
            msg = f"{name} returned {len(answers)} responses to {len(prompts)} prompts"
            raise MLLMError(msg)
        return list(answers)

    def _released(self, frames: Tensor | AnonymizedFrames | RawFrames) -> Tensor:
        """The choke point: what may go to the back-end."""
        if isinstance(frames, AnonymizedFrames):
            return frames.frames
        if isinstance(frames, RawFrames):
            if self.sends_images:
                _log.warning(
                    "raw pixels are sent to %s: %s (%d clips)",
                    type(self).__name__,
                    frames.purpose,
                    len(frames.frames),
                )
            return frames.frames
        if self.sends_images:
            msg = (
                "`frames` must be AnonymizedFrames (see AbstractAnonymizer.release), as "
                f"{type(self).__name__} sends them away; found a plain tensor"
            )
            raise TypeError(msg)
        return frames

    def _respond_meanwhile(
        self, frames: Tensor, prompts: Sequence[str], meanwhile: Callable[[], None] | None
    ) -> Sequence[Answer]:
        """Answer, and call ``meanwhile`` while requests are under way; here there are none."""
        del meanwhile
        return self._respond(frames, prompts)

    @abstractmethod
    def _respond(self, frames: Tensor, prompts: Sequence[str]) -> Sequence[Answer]:
        """Answer; ``frames`` is uint8 ``(B, T, 3, H, W)``, images come as clips of one frame."""
