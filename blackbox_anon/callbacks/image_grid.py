"""Before and after, in TensorBoard."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor
from typing_extensions import override

from blackbox_anon.mllms import to_uint8


class BeforeAfterImages(Callback):
    """Every ``every`` steps, draw a few clips raw above anonymized; the x axis is queries.

    A batch that the task gave up is no step, and not drawn.

    Args:
        every: Steps between pictures.
        count: Samples to show.
    """

    def __init__(self, *, every: int = 50, count: int = 4) -> None:
        self.every, self.count = every, count

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
        grid = before_after_grid(seen["raw"][: self.count], seen["anonymized"][: self.count])
        step = int(getattr(pl_module, "queries", trainer.global_step))
        logger.experiment.add_image("before_after", grid, step)


def before_after_grid(raw: Tensor, anonymized: Tensor, frames: int = 4) -> Tensor:
    """Tile samples: each has a row of raw frames above a row of anonymized ones.

    Args:
        raw: ``(B, T, 3, H, W)`` or ``(B, 3, H, W)``, in ``[0, 1]``.
        anonymized: The same shape.
        frames: Frames of a clip to show, evenly spaced.

    Returns:
        uint8 image, ``(3, 2 * B * H, frames * W)``; one frame wide for images.
    """
    both = torch.stack([raw, anonymized], dim=1)
    if raw.ndim == 4:
        both = both.unsqueeze(2)
    chosen = torch.linspace(0, both.shape[2] - 1, min(frames, both.shape[2])).round().long()
    tiles = to_uint8(both[:, :, chosen].float())
    batch, two, count, channels, height, width = tiles.shape
    ordered = tiles.permute(3, 0, 1, 4, 2, 5)
    return ordered.reshape(channels, batch * two * height, count * width)
