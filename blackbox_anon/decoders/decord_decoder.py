"""decord: the default decoder of MPEG-4 part 2 without B-frames, and of sparse H.264."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from typing_extensions import override

from blackbox_anon.decoders.abstract import AbstractDecoder
from blackbox_anon.decoders.errors import DecodingError
from blackbox_anon.decoders.rounding import H263_FAMILY
from blackbox_anon.decoders.timeline import Timeline

MIN_WIDTH = 128  # decord raises on whole files 16, 24, 48 or 72 pixels wide


class DecordDecoder(AbstractDecoder):
    """Seeks by timestamp, which B-frames in an AVI lack: those files it must not seek."""

    @override
    def seeks(self, timeline: Timeline) -> bool:
        exact = timeline.codec == "h264" or (
            timeline.codec in H263_FAMILY and not timeline.reordered
        )
        return exact and timeline.plain and timeline.width >= MIN_WIDTH

    @override
    def frames(self, timeline: Timeline, indices: Sequence[int]) -> list[np.ndarray] | None:
        with decord_failures():
            reader = open_decord(timeline.path)
            if len(reader) != timeline.num_frames:
                return None
            return list(reader.get_batch(list(indices)).asnumpy())


def open_decord(path: str) -> Any:  # noqa: ANN401  # decord has no types
    """A decord reader with one thread: the workers are the parallelism.

    Args:
        path: The file.

    Returns:
        The reader; it must not cross a fork, or it hangs.
    """
    import decord  # 0.2 s, spent only by the process that decodes with it

    decord.logging.set_level(decord.logging.QUIET)  # failures are raised
    return decord.VideoReader(path, ctx=decord.cpu(0), num_threads=1)


@contextmanager
def decord_failures() -> Iterator[None]:
    """Turn what decord raises for a bad file into a ``DecodingError``."""
    import decord

    try:
        yield
    except (decord.DECORDError, RuntimeError, ValueError, IndexError) as error:
        raise DecodingError(f"decord: {error}") from error
