"""Which frames of a clip a protocol looks at. A rule is a value: it can be pickled and compared."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from typing_extensions import override


class AbstractSampling(ABC):
    """A rule from a clip's length to the frames to read."""

    @abstractmethod
    def indices(self, num_frames: int) -> list[int]:
        """Frames to read of a clip.

        Args:
            num_frames: Frames the clip really has.

        Returns:
            Indices in ``[0, num_frames)``, in the order of the result; an index may repeat.

        Raises:
            ValueError: If ``num_frames`` is not positive.
        """


@dataclass(frozen=True)
class UniformSampling(AbstractSampling):
    """Frames evenly spaced from the first to the last; Video-LLaVA takes 8.

    A shorter clip repeats frames in place, so that time never runs backwards.

    Args:
        num_frames: Frames per clip.

    Example:
        >>> UniformSampling(8).indices(164)
        [0, 23, 47, 70, 93, 116, 140, 163]
        >>> UniformSampling(4).indices(2)
        [0, 0, 1, 1]
    """

    num_frames: int = 8

    def __post_init__(self) -> None:
        _positive(num_frames=self.num_frames)

    @override
    def indices(self, num_frames: int) -> list[int]:
        _positive(num_frames=num_frames)
        return [round(i) for i in np.linspace(0, num_frames - 1, self.num_frames).tolist()]


@dataclass(frozen=True)
class StridedSampling(AbstractSampling):
    """Every ``stride``-th frame of one window; STPrivacy takes 16 at rate 2 (HMDB51) or 4 (UCF101).

    A clip shorter than the window starts over, as often as needed.

    Args:
        num_frames: Frames per clip.
        stride: Distance between them, in frames.
        position: Where the window lies: 0 at the start of the clip, 0.5 in its middle, 1 at its
            end. SPAct averages over 0, 0.25, 0.5, 0.75 and 1.

    Example:
        >>> StridedSampling(4, 2).indices(20)
        [6, 8, 10, 12]
        >>> StridedSampling(4, 2).indices(5)
        [0, 2, 4, 1]
    """

    num_frames: int = 16
    stride: int = 2
    position: float = 0.5

    def __post_init__(self) -> None:
        _positive(num_frames=self.num_frames, stride=self.stride)
        if not 0 <= self.position <= 1:
            raise ValueError(f"position: expected 0 to 1, found {self.position}")

    @override
    def indices(self, num_frames: int) -> list[int]:
        _positive(num_frames=num_frames)
        window = (self.num_frames - 1) * self.stride + 1
        start = int(max(num_frames - window, 0) * self.position)
        return [(start + i * self.stride) % num_frames for i in range(self.num_frames)]


@dataclass(frozen=True)
class EveryFrame(AbstractSampling):
    """All frames in order, as PA-HMDB51's privacy labels are counted.

    Example:
        >>> EveryFrame().indices(3)
        [0, 1, 2]
    """

    @override
    def indices(self, num_frames: int) -> list[int]:
        _positive(num_frames=num_frames)
        return list(range(num_frames))


def _positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name}: expected at least 1, found {number}")
