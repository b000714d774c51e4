"""Pixels that can be told anywhere: a block of noise in every raw frame."""

from typing import Any

import torch
from lightning.pytorch import Callback
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from typing_extensions import override

from blackbox_anon.world import PeopleWorldDataModule
from blackbox_anon.world.frames import PeopleFrames
from blackbox_anon.world.people import PeopleWorld

SIDE, AT = 16, 8
_DRAWN = torch.Generator().manual_seed(20)
BLOCK = torch.randint(256, (3, SIDE, SIDE), generator=_DRAWN, dtype=torch.uint8)
REGION = (..., slice(AT, AT + SIDE), slice(AT, AT + SIDE))


def planted(frames: Tensor) -> Tensor:
    """Frames in ``[0, 1]``, shape ``(..., 3, H, W)``, with the block in each."""
    marked = frames.clone()
    marked[REGION] = BLOCK.float().div(255)
    return marked


class Planted(Dataset[dict[str, Any]]):
    """The same samples with the block in their frames."""

    def __init__(self, samples: PeopleWorld | PeopleFrames) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    @override
    def __getitem__(self, index: int) -> dict[str, Any]:
        sample: dict[str, Any] = dict(self.samples[index])
        return sample | {"frames": planted(sample["frames"])}


class CanaryDataModule(PeopleWorldDataModule):
    """The drawn world, each raw frame marked, in training, validation and test."""

    @override
    def _loader(
        self, dataset: PeopleWorld | PeopleFrames, batch_size: int, stream: int | None = None
    ) -> DataLoader[Any]:
        return super()._loader(Planted(dataset), batch_size, stream)  # type: ignore[arg-type]  # serves as one

    def raw_frames(self) -> list[Tensor]:
        """Every frame that a run can see, uint8 ``(3, H, W)``."""
        clips = [sample for world in self.worlds.values() for sample in Planted(world)]  # type: ignore[attr-defined]  # it ends with an IndexError
        return [frame for clip in clips for frame in clip["frames"].mul(255).round().byte()]


class Crash(Callback):
    """Ends a run by an error that nobody expects, with frames and the black box in reach."""

    @override
    def on_train_batch_end(
        self,
        trainer: Any,
        pl_module: Any,
        outputs: Any,
        batch: dict[str, Any],
        batch_idx: int,  # Lightning's signature
    ) -> None:
        frames, mllm = batch["utility"]["frames"], pl_module.mllm
        raise RuntimeError(f"crashed with {frames.shape} and {mllm}")
