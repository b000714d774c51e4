"""What every anonymizer does: frames in, frames of the same shape and range out."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from blackbox_anon.mllms.released import AnonymizedFrames, RawFrames


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

    def release(self, anonymized: Tensor) -> AnonymizedFrames | RawFrames:
        """Mark frames that this anonymizer made as fit to leave the machine.

        Args:
            anonymized: What :meth:`forward` returned, or an estimator made of it, in ``[0, 1]`` or
                rounded to uint8.
        """
        return AnonymizedFrames(anonymized)


def as_images(frames: Tensor) -> Tensor:
    """Flatten clips to images ``(B * T, 3, H, W)``; images pass through.

    Raises:
        ValueError: If ``frames`` is neither ``(B, T, 3, H, W)`` nor ``(B, 3, H, W)``.
    """
    if frames.ndim not in (4, 5) or frames.shape[-3] != 3:
        msg = f"`frames` must be (B, T, 3, H, W) or (B, 3, H, W); found {tuple(frames.shape)}"
        raise ValueError(msg)
    return frames.flatten(0, -4)
