"""Write what ``predict`` anonymized: one MP4 per clip, one PNG per image."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor
from typing_extensions import override

from blackbox_anon.media import write_image, write_video

MAX_STEM = 50  # characters of a name that are kept: 200 bytes of UTF-8, of 255 allowed


def safe_path(name: str, suffix: str) -> PurePosixPath:
    """A relative path any file system takes, different for different names.

    Characters other than letters, digits, ``-``, ``_`` and ``.`` become ``_``; a part that had to
    be changed gets a digest of its original. Another suffix is kept within the name, so that
    ``a.avi`` and ``a.mov`` do not meet.

    Args:
        name: A sample's name, such as a path relative to its root.
        suffix: The suffix to write with.

    Returns:
        The path, never absolute and never upwards.

    Example:
        >>> safe_path("Archery/v_Archery_g01_c01.avi", ".mp4").as_posix()
        'Archery/v_Archery_g01_c01.avi.mp4'
        >>> safe_path("wave/#20_!&;.mp4", ".mp4").as_posix()
        'wave/_20____-9c50b0.mp4'
    """
    *folders, last = [part for part in name.split("/") if part] or ["unnamed"]
    stem = last[: -len(suffix)] if last.endswith(suffix) and last != suffix else last
    return PurePosixPath(*map(_safe_part, folders), _safe_part(stem) + suffix)


def _safe_part(part: str) -> str:
    safe = re.sub(r"[^\w.-]", "_", part).strip(".")[:MAX_STEM]
    if safe == part:
        return part
    digest = hashlib.sha256(part.encode("utf-8", "surrogateescape")).hexdigest()[:6]
    return f"{safe}-{digest}"


class AnonymizedWriter(BasePredictionWriter):
    """Write predictions below a folder, as soon as each batch is done.

    Files are named by the batch's ``name``, folders kept (:func:`safe_path`). A name that comes
    again is the same sample, standing in for an unreadable one, and is not written twice.

    Args:
        output_dir: Where to write; files of an earlier run under the same names are replaced.
        fps: Frames per second of the MP4s.

    Raises:
        ValueError: If ``fps`` is not positive.
    """

    def __init__(self, output_dir: str, fps: float = 4.0) -> None:
        super().__init__(write_interval="batch")
        if fps <= 0:
            raise ValueError(f"fps: expected a positive number, found {fps}")
        self.output_dir = Path(output_dir)
        self.fps = fps
        self._written: set[str] = set()
        self._taken: set[PurePosixPath] = set()

    @override
    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget what an earlier ``predict`` wrote."""
        self._written.clear()
        self._taken.clear()

    @override
    def write_on_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        prediction: Any,  # Lightning's signature
        batch_indices: Sequence[int] | None,
        batch: Any,  # Lightning's signature
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Write ``prediction["frames"]``, ``(B, T, 3, H, W)`` or ``(B, 3, H, W)`` in ``[0, 1]``."""
        frames, names = prediction["frames"], prediction["name"]
        if len(frames) != len(names):
            raise ValueError(f"name: expected {len(frames)} names, found {len(names)}")
        for sample, name in zip(frames, names, strict=True):
            if name not in self._written:
                self._write(sample, name)

    @override
    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say how many files lie where."""
        count = torch.tensor(len(self._written), device=trainer.strategy.root_device)
        total = trainer.strategy.reduce(count, reduce_op="sum")
        rank_zero_info(f"Wrote {int(total)} anonymized files to {self.output_dir}")

    def _write(self, sample: Tensor, name: str) -> None:
        pixels = (sample.detach().float().clamp(0, 1) * 255).round().to(torch.uint8)
        path = safe_path(name, ".png" if pixels.ndim == 3 else ".mp4")
        if path in self._taken:  # "a.avi" after "a.avi.mp4"
            path = path.with_name(f"{path.stem}-{len(self._written)}{path.suffix}")
        if pixels.ndim == 3:
            write_image(self.output_dir / path, pixels)
        else:
            write_video(self.output_dir / path, pixels, self.fps)
        self._written.add(name)
        self._taken.add(path)
