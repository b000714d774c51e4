"""What a decoder of this package does: jump to frames of a file that allows it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from blackbox_anon.decoders.timeline import Timeline


class AbstractDecoder(ABC):
    """Reads frames by index from files whose frames it seeks exactly.

    A decoder holds no open file and no state: it is pickled to the process that decodes. Files it
    does not seek exactly are decoded in order, by the same code whichever decoder was chosen.
    """

    @abstractmethod
    def seeks(self, timeline: Timeline) -> bool:
        """Whether random access in this file is exact.

        Args:
            timeline: What the file's header and index say.

        Returns:
            False if the file is to be decoded in order.
        """

    @abstractmethod
    def frames(self, timeline: Timeline, indices: Sequence[int]) -> list[np.ndarray] | None:
        """Read frames by random access.

        Args:
            timeline: Of the file, for which :meth:`seeks` is true.
            indices: Frames wanted, in order; an index may repeat.

        Returns:
            Frames ``(H, W, 3)``, uint8, RGB; ``None`` if the decoder found that it would not be
            exact after all.

        Raises:
            DecodingError: If the file cannot be decoded.
        """
