"""The black-box contract: frames and prompts in, text out, every query counted."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from blackbox_anon.errors import MLLMError


@dataclass(frozen=True, kw_only=True)
class Response:
    """What a service sends back for one clip and one prompt.

    Attributes:
        text: The decoded answer.
        top_logprobs: Log-probabilities (nats) of the likeliest first answer tokens by their text,
            where the service gives them; else ``None``.
    """

    text: str
    top_logprobs: Mapping[str, float] | None = None


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
    return frames.mul(255).add_(0.5).clamp_(0, 255.5).to(torch.uint8)


class AbstractMLLM(ABC):
    """A multimodal LLM behind its service interface.

    It is deliberately no ``nn.Module``: it never becomes a submodule of a task, never enters a
    checkpoint, and offers neither parameters nor gradients. Subclasses implement :meth:`_respond`
    only.
    """

    def __init__(self) -> None:
        self._queries = 0

    @property
    def queries(self) -> int:
        """Queries made through this object: one per clip and prompt."""
        return self._queries

    @final
    @torch.no_grad()
    def query(self, frames: Tensor, prompts: Sequence[str]) -> list[Response]:
        """Ask one prompt about each clip.

        Args:
            frames: Clips ``(B, T, 3, H, W)`` or images ``(B, 3, H, W)``; float in ``[0, 1]``
                (rounded to 8 bits here) or uint8.
            prompts: ``B`` questions.

        Returns:
            ``B`` responses, in order.

        Raises:
            ValueError: If shapes or ranges are off.
            MLLMError: If the back-end does not return ``B`` responses.
        """
        if frames.ndim not in (4, 5) or frames.shape[-3] != 3:
            msg = f"`frames` must be (B, T, 3, H, W) or (B, 3, H, W); found {tuple(frames.shape)}"
            raise ValueError(msg)
        if len(prompts) != len(frames):
            msg = f"`prompts` must hold one question per clip ({len(frames)}); found {len(prompts)}"
            raise ValueError(msg)
        images = to_uint8(frames.detach())
        clips = images if images.ndim == 5 else images.unsqueeze(1)
        self._queries += len(prompts)
        responses = self._respond(clips, prompts)
        if len(responses) != len(prompts):
            name = type(self).__name__
            msg = f"{name} returned {len(responses)} responses to {len(prompts)} prompts"
            raise MLLMError(msg)
        return responses

    @abstractmethod
    def _respond(self, frames: Tensor, prompts: Sequence[str]) -> list[Response]:
        """Answer; ``frames`` is uint8 ``(B, T, 3, H, W)``, images come as clips of one frame."""
