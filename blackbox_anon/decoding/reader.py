"""From a path to the frames a protocol looks at."""

from pathlib import Path
from typing import Literal

from torch import Tensor

from blackbox_anon.decoding import native
from blackbox_anon.decoding.resizing import Crop, check_resize, resize
from blackbox_anon.decoding.sampling import AbstractSampling, UniformSampling

Backend = Literal["decord", "pyav", "torchcodec"]


class ClipReader:
    """Reads the sampled frames of a clip, and never a wrong frame.

    Args:
        sampling: Which frames; ``None`` is ``UniformSampling(8)``.
        size: Side of a frame in pixels; ``None`` keeps the native size.
        crop: See :func:`~blackbox_anon.decoding.resize`.
        backend: Decoder.
        time_limit: Seconds one file may take before it counts as unreadable.
        cache: Folder of the frame cache; ``None`` decodes every time.

    Raises:
        ValueError: If ``size``, ``crop``, ``backend`` or ``time_limit`` is not possible.
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
    ) -> None:
        check_resize(size, crop)
        self.sampling = UniformSampling(8) if sampling is None else sampling
        self.size = size
        self.crop: Crop = crop
        self.backend: Backend = backend
        self.time_limit = time_limit
        self.cache = cache

    def __call__(self, path: str | Path) -> Tensor:
        """Read a clip.

        Args:
            path: A video file; its content decides the format, not its suffix.

        Returns:
            Shape ``(T, 3, H, W)``, uint8, RGB.

        Raises:
            UnreadableFileError: If the file is missing or cannot be decoded.
        """
        return resize(native.read(path, self.sampling), self.size, crop=self.crop)

    def count(self, path: str | Path) -> int:
        """True number of frames, which a container may misstate.

        Args:
            path: A video file.

        Returns:
            The number of frames a decoder gives in order.

        Raises:
            UnreadableFileError: If the file is missing or cannot be decoded.
        """
        return native.count(path)
