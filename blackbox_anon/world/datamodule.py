"""PeopleWorld for Lightning: clips for utility, single frames for privacy."""

import os
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.utilities import CombinedLoader
from torch.utils.data import DataLoader
from tqdm import tqdm
from typing_extensions import override

from blackbox_anon.datamodules import EpochSampler, ResumableLoader
from blackbox_anon.world.frames import PeopleFrames
from blackbox_anon.world.people import PeopleWorld

_UTILITY_STREAM, _PRIVACY_STREAM = 0, 1


class PeopleWorldDataModule(LightningDataModule):
    """Same-data-set protocol: actions and attributes of the same drawn people.

    Training pairs clips with single frames of the training split; validation and test read clips of
    their own split twice, once for the action and once, as clips, for the attributes.

    Args:
        train_clips: Clips of the training split; an epoch sees each once.
        val_clips: Clips of the validation split.
        test_clips: Clips of the test split.
        clip_frames: Frames ``T`` of a clip.
        size: Height and width in pixels.
        batch_size: Clips per step.
        privacy_batch_size: Frames per step.
        num_workers: Loader processes; drawing takes about 4 ms a clip.
        keep_drawn: Draw the training and validation clips before the first step and keep them, 98
            kB a clip of 8 frames of 64 by 64 pixels. On few cores that is the fastest: workers that
            draw along the way hold up operators that use all cores. With it ``num_workers`` is best
            0.
        world_seed: Which world: other seeds show other clips.
        seed: Seed of the shuffle.
    """

    def __init__(
        self,
        *,
        train_clips: int = 2000,
        val_clips: int = 200,
        test_clips: int = 400,
        clip_frames: int = 8,
        size: int = 64,
        batch_size: int = 8,
        privacy_batch_size: int = 32,
        num_workers: int = 0,
        keep_drawn: bool = False,
        world_seed: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        lengths = {"train": train_clips, "val": val_clips, "test": test_clips}
        self.worlds = {
            split: PeopleWorld(
                split, length=length, clip_frames=clip_frames, size=size, seed=world_seed
            )
            for split, length in lengths.items()
        }
        self.batch_size, self.privacy_batch_size = batch_size, privacy_batch_size
        self.num_workers, self.seed = num_workers, seed
        self.keep_drawn = keep_drawn

    @property
    def classes(self) -> list[str]:
        """Class texts in label order."""
        return list(PeopleWorld.classes)

    @property
    def class_texts(self) -> list[str]:
        """The same: the world's names are texts."""
        return self.classes

    @property
    def attributes(self) -> list[str]:
        """VISPR ids of the attributes."""
        return list(PeopleWorld.attributes)

    @property
    def num_attributes(self) -> int:
        """Number of attributes ``A``."""
        return len(PeopleWorld.attributes)

    @override
    def setup(self, stage: str) -> None:
        """Draw what is kept, with progress.

        Args:
            stage: ``fit``, ``validate``, ``test`` or ``predict``; only the first keeps anything.
        """
        if not self.keep_drawn or stage != "fit":
            return
        worlds = [self.worlds["train"], self.worlds["val"]]
        with tqdm(total=sum(map(len, worlds)), desc="drawing clips", leave=False) as bar:
            for world in worlds:
                world.keep(progress=bar.update)

    @override
    def train_dataloader(self) -> CombinedLoader:
        """Pairs of a clip batch and a frame batch; the clips decide an epoch's length."""
        world = self.worlds["train"]
        loaders = {
            "utility": self._loader(world, self.batch_size, stream=_UTILITY_STREAM),
            "privacy": self._loader(
                PeopleFrames(world), self.privacy_batch_size, stream=_PRIVACY_STREAM
            ),
        }
        return CombinedLoader(loaders, mode="min_size")

    @override
    def val_dataloader(self) -> list[DataLoader[Any]]:
        """Utility clips, privacy clips."""
        return [self._loader(self.worlds["val"], self.batch_size)] * 2

    @override
    def test_dataloader(self) -> list[DataLoader[Any]]:
        """Utility clips, privacy clips."""
        return [self._loader(self.worlds["test"], self.batch_size)] * 2

    @override
    def predict_dataloader(self) -> DataLoader[Any]:
        """Test clips."""
        return self._loader(self.worlds["test"], self.batch_size)

    def _loader(
        self, dataset: PeopleWorld | PeopleFrames, batch_size: int, stream: int | None = None
    ) -> DataLoader[Any]:
        loader = DataLoader if stream is None else ResumableLoader
        return loader(
            dataset,
            batch_size=batch_size,
            sampler=None
            if stream is None
            else EpochSampler(len(dataset), self.seed, stream=stream),
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            worker_init_fn=_give_way,
            drop_last=stream is not None,
            generator=torch.Generator(),  # loaders draw a seed per epoch; not from the global one
        )


def _give_way(worker: int) -> None:
    """Let a worker draw in the gaps: it would hold up operators that use all cores."""
    del worker
    if hasattr(os, "nice"):  # not on Windows
        os.nice(10)
