"""Which frames may leave the machine: the choke point's two types."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class AnonymizedFrames:
    """Frames that an anonymizer returned; all that a service accepts.

    :meth:`AbstractAnonymizer.release` makes them.

    Attributes:
        frames: ``(B, T, 3, H, W)`` or ``(B, 3, H, W)``, in ``[0, 1]`` or uint8.
    """

    frames: Tensor


@dataclass(frozen=True)
class RawFrames:
    """Frames that nobody anonymized, sent on purpose: the raw baseline. Every use is logged.

    Attributes:
        frames: As for :class:`AnonymizedFrames`.
        purpose: Why raw pixels may leave; stands in the log.
    """

    frames: Tensor
    purpose: str
