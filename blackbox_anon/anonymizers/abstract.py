"""What every anonymizer does: frames in, frames of the same shape and range out."""

from abc import ABC, abstractmethod

from torch import Tensor, nn


class AbstractAnonymizer(nn.Module, ABC):
    """Maps frames to anonymized frames."""

    @abstractmethod
    def forward(self, frames: Tensor) -> Tensor:
        """Anonymize.

        Args:
            frames: ``(B, T, 3, H, W)`` or ``(B, 3, H, W)``, in ``[0, 1]``.

        Returns:
            Frames of the same shape, in ``[0, 1]``.

        Raises:
            ValueError: If the shape is another one.
        """


def as_images(frames: Tensor) -> Tensor:
    """Flatten clips to images ``(B * T, 3, H, W)``; images pass through.

    Raises:
        ValueError: If ``frames`` is neither ``(B, T, 3, H, W)`` nor ``(B, 3, H, W)``.
    """
    if frames.ndim not in (4, 5) or frames.shape[-3] != 3:
        msg = f"`frames` must be (B, T, 3, H, W) or (B, 3, H, W); found {tuple(frames.shape)}"
        raise ValueError(msg)
    return frames.flatten(0, -4)
