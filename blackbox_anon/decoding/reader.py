"""From a path to the frames a protocol looks at."""

import math
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from blackbox_anon.decoders import (
    DECODERS,
    Backend,
    DecodingError,
    count_frames,
    find_remarks,
    read_frames,
)
from blackbox_anon.decoders.process import decoding_process
from blackbox_anon.decoding.cache import FrameCache
from blackbox_anon.decoding.resizing import Crop, check_resize, resize
from blackbox_anon.decoding.sampling import AbstractSampling, UniformSampling
from blackbox_anon.decoding.unreadable import UnreadableFileError

CACHE_VERSION = 1  # to be raised when the same settings give other pixels


class ClipReader:
    """Reads the sampled frames of a clip, and never a wrong frame.

    Frame ``k`` is byte for byte what ``ffmpeg`` decodes as frame ``k`` in order, at native size,
    whichever backend is chosen: a backend only seeks in files where its random access is exact,
    and everything else is decoded in order. Pictures are turned upright by their display matrix.

    Decoding runs in a process beside this one, started at the first clip, so that a decoder's
    hang or crash costs one file.

    Args:
        sampling: Which frames; ``None`` is ``UniformSampling(8)``.
        size: Side of a frame in pixels; ``None`` keeps the native size.
        crop: See :func:`~blackbox_anon.decoding.resize`.
        backend: Decoder that seeks: ``decord``, ``pyav``, or ``torchcodec``, which is an extra.
        time_limit: Seconds one file may take before it counts as unreadable; infinite decodes in
            this process, where a crash ends the run.
        cache: Folder that keeps the frames as they are returned, for later epochs; ``None``
            decodes every time.
        strict: Refuse a truncated or damaged file; otherwise its frames are returned as far as
            the decoder makes sense of them.

    Raises:
        ValueError: If ``size``, ``crop``, ``backend`` or ``time_limit`` is not possible.
        ImportError: If the backend is not installed; the message names the extra.
    """

    def __init__(
        self,
        sampling: AbstractSampling | None = None,
        size: int | None = 224,
        *,
        crop: Crop = "center",
        backend: Backend = "decord",
        time_limit: float = 60.0,
        cache: str | Path | None = None,
        strict: bool = True,
    ) -> None:
        check_resize(size, crop)
        if backend not in DECODERS:
            raise ValueError(f"backend: expected one of {sorted(DECODERS)}, found {backend!r}")
        if not time_limit > 0:
            raise ValueError(f"time_limit: expected a positive number, found {time_limit}")
        self.sampling = UniformSampling(8) if sampling is None else sampling
        self.size = size
        self.crop: Crop = crop
        self.backend: Backend = backend
        self.time_limit = time_limit
        self.strict = strict
        self.cache = None if cache is None else FrameCache(cache, self._settings())
        self._decoder = DECODERS[backend]()

    def __call__(self, path: str | Path) -> Tensor:
        """Read a clip.

        Args:
            path: A video file; its content decides the format, not its suffix.

        Returns:
            Shape ``(T, 3, H, W)``, uint8, RGB.

        Raises:
            UnreadableFileError: If the file is missing, damaged or cannot be decoded.
        """
        if self.cache is None:
            return self._decode(str(path))
        return torch.from_numpy(self.cache.get(str(path), lambda: self._decode(str(path)).numpy()))

    def count(self, path: str | Path) -> int:
        """True number of frames, which a container may misstate; decodes the whole file.

        Args:
            path: A video file.

        Returns:
            The number of frames a decoder gives in order.

        Raises:
            UnreadableFileError: If the file is missing, damaged or cannot be decoded.
        """
        with _naming(path):
            if math.isinf(self.time_limit):
                return count_frames(str(path), strict=self.strict)
            process = decoding_process(self._decoder)
            return process.count(_absolute(path), limit=self.time_limit, strict=self.strict)

    def remarks(self, path: str | Path) -> list[str]:
        """What is odd about a clip that can be read; decodes the whole file.

        Args:
            path: A video file.

        Returns:
            One short sentence per oddity (one frame, variable frame rate, wrong suffix, ...);
            none for an ordinary video.

        Raises:
            UnreadableFileError: If the file is missing, damaged or cannot be decoded.
        """
        with _naming(path):
            if math.isinf(self.time_limit):
                return find_remarks(str(path), strict=self.strict)
            process = decoding_process(self._decoder)
            return process.remarks(_absolute(path), limit=self.time_limit, strict=self.strict)

    def _settings(self) -> str:
        """All that decides the frames of a file; the backend does not."""
        rule = pickle.dumps(self.sampling).hex()
        return repr((CACHE_VERSION, rule, self.size, self.crop, self.strict))

    def _decode(self, path: str) -> Tensor:
        frames = torch.from_numpy(self._read(path)).permute(0, 3, 1, 2)
        return resize(frames.contiguous(), self.size, crop=self.crop)

    def _read(self, path: str) -> np.ndarray:
        choose = self.sampling.indices
        with _naming(path):
            if math.isinf(self.time_limit):
                return np.stack(read_frames(path, choose, self._decoder, strict=self.strict))
            process = decoding_process(self._decoder)
            return process.read(_absolute(path), choose, limit=self.time_limit, strict=self.strict)


@contextmanager
def _naming(path: str | Path) -> Iterator[None]:
    """Say which file a decoder failed on."""
    try:
        yield
    except DecodingError as error:
        raise UnreadableFileError(path, str(error)) from error


def _absolute(path: str | Path) -> str:
    """The helper process stays in the folder that it was started in."""
    return str(Path(path).absolute())
