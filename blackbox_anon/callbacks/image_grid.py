"""Before and after, in TensorBoard."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor
from typing_extensions import override

from blackbox_anon.mllms import to_uint8
from blackbox_anon.tasks import BlackBoxAnonymization


class BeforeAfterImages(Callback):
    """Every ``every`` steps, draw a few clips raw above anonymized; the x axis is queries.

    A batch that the task gave up is no step, and not drawn. The pictures hold raw pixels, readable
    by whoever reads the logs, unless ``raw`` is off.

    Args:
        every: Steps between pictures.
        count: Samples to show.
        raw: Draw the raw frames too (``before_after``), or the anonymized ones only (``after``).
    """

    def __init__(self, *, every: int = 50, count: int = 4, raw: bool = True) -> None:
        self.every, self.count, self.raw = every, count, raw

    @override
    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,  # Lightning's signature
    ) -> None:
        seen: dict[str, Tensor] = getattr(pl_module, "seen", {})
        logger = trainer.logger
        if not isinstance(logger, TensorBoardLogger) or "anonymized" not in seen:
            return
        if (
            getattr(pl_module, "skipped", False)
            or (int(getattr(pl_module, "steps", 0)) - 1) % self.every
        ):
            return
        rows = [seen[name][: self.count] for name in ("raw", "anonymized")]
        step = int(getattr(pl_module, "queries", trainer.global_step))
        draw = partial(self._draw, logger, rows if self.raw else rows[1:], step)
        if isinstance(pl_module, BlackBoxAnonymization):
            pl_module.write_later(draw)
        else:
            draw()

    def _draw(self, logger: TensorBoardLogger, rows: Sequence[Tensor], step: int) -> None:
        tag = "before_after" if self.raw else "after"
        logger.experiment.add_image(tag, frame_grid(rows), step)


def before_after_grid(raw: Tensor, anonymized: Tensor, frames: int = 4) -> Tensor:
    """Tile samples: each has a row of raw frames above a row of anonymized ones.

    Args:
        raw: ``(B, T, 3, H, W)`` or ``(B, 3, H, W)``, in ``[0, 1]``.
        anonymized: The same shape.
        frames: Frames of a clip to show, evenly spaced.

    Returns:
        uint8 image, ``(3, 2 * B * H, frames * W)``; one frame wide for images.
    """
    return frame_grid([raw, anonymized], frames)


def frame_grid(versions: Sequence[Tensor], frames: int = 4) -> Tensor:
    """Tile samples, with a row of frames for each of ``V`` versions.

    Args:
        versions: Each ``(B, T, 3, H, W)`` or ``(B, 3, H, W)``, in ``[0, 1]``.
        frames: Frames of a clip to show, evenly spaced.

    Returns:
        uint8 image, ``(3, V * B * H, frames * W)``; one frame wide for images.
    """
    stacked = torch.stack(list(versions), dim=1)
    if versions[0].ndim == 4:
        stacked = stacked.unsqueeze(2)
    chosen = torch.linspace(0, stacked.shape[2] - 1, min(frames, stacked.shape[2])).round().long()
    tiles = to_uint8(stacked[:, :, chosen].float())
    batch, rows, count, channels, height, width = tiles.shape
    ordered = tiles.permute(3, 0, 1, 4, 2, 5)
    return ordered.reshape(channels, batch * rows * height, count * width)
