"""UCF101 clips for utility, VISPR photographs for privacy."""

from pathlib import Path
from typing import Any, Literal

from lightning.pytorch import LightningDataModule
from lightning.pytorch.utilities import CombinedLoader
from torch.utils.data import DataLoader
from typing_extensions import override

from blackbox_anon.datamodules.loading import build_loader
from blackbox_anon.datamodules.sampling import EpochSampler
from blackbox_anon.datamodules.unreadable import UnreadableLog
from blackbox_anon.datasets import (
    UCF101,
    VISPR,
    VISPR1_ATTRIBUTES,
    Crop,
    MediaFolder,
    VISPRSplit,
    media_files,
    ucf101_classes,
)
from blackbox_anon.datasets.skipping import IndexedSamples
from blackbox_anon.errors import DatasetNotFoundError
from blackbox_anon.scorers import camel_case_to_text

UTILITY_STREAM, PRIVACY_STREAM = 0, 1


class UCF101DataModule(LightningDataModule):
    """Actions of UCF101 and the seven VISPR1 attributes.

    Training pairs a batch of the split's train list with a batch of ``train2017``; validation
    runs over the split's test list, as UCF101 has no validation list, and over ``val2017``;
    testing over the test list and ``test2017``. Nothing is augmented.

    A training batch is ``{"utility": UtilityBatch, "privacy": PrivacyBatch}``; validation and
    test have two loaders, ``dataloader_idx`` 0 utility and 1 privacy. Unreadable files are
    replaced, logged, and listed in ``<trainer.default_root_dir>/unreadable.txt``.

    Args:
        ucf_root: See :class:`~blackbox_anon.datasets.UCF101`.
        vispr_root: See :class:`~blackbox_anon.datasets.VISPR`.
        split: Official split of UCF101.
        clip_frames: Frames per clip.
        size: Side of a frame in pixels.
        crop: See :func:`~blackbox_anon.datasets.resize`.
        batch_size: Clips per batch and device.
        privacy_batch_size: Photographs per batch and device.
        num_workers: Worker processes per loader.
        pairing: What ends an epoch: the longer set, the shorter one starting over
            (``max_size_cycle``), or the shorter set (``min_size``).
        vispr_val_split: Photographs to validate on; many copies of VISPR lack ``val2017``.
        predict_folder: Anonymize the videos and images below this folder, not the test clips.
        max_unreadable: Different files that may fail before the run is stopped.
        seed: Seed of the shuffle.
    """

    def __init__(
        self,
        ucf_root: str,
        vispr_root: str,
        *,
        split: Literal[1, 2, 3] = 1,
        clip_frames: int = 8,
        size: int = 224,
        crop: Crop = "center",
        batch_size: int = 8,
        privacy_batch_size: int = 16,
        num_workers: int = 2,
        pairing: Literal["max_size_cycle", "min_size"] = "max_size_cycle",
        vispr_val_split: VISPRSplit = "val2017",
        predict_folder: str | None = None,
        max_unreadable: int = 10,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.ucf_root = ucf_root
        self.vispr_root = vispr_root
        self.split: Literal[1, 2, 3] = split
        self.clip_frames = clip_frames
        self.size = size
        self.crop: Crop = crop
        self.batch_size = batch_size
        self.privacy_batch_size = privacy_batch_size
        self.num_workers = num_workers
        self.pairing: Literal["max_size_cycle", "min_size"] = pairing
        self.vispr_val_split: VISPRSplit = vispr_val_split
        self.predict_folder = predict_folder
        self.seed = seed
        self.unreadable = UnreadableLog(max_unreadable)
        self._sets: dict[str, IndexedSamples] = {}

    @property
    def attributes(self) -> list[str]:
        """Attribute ids in the order of the label columns; needs no data on disk."""
        return list(VISPR1_ATTRIBUTES)

    @property
    def num_attributes(self) -> int:
        """Columns of the attribute labels."""
        return len(VISPR1_ATTRIBUTES)

    @property
    def classes(self) -> list[str]:
        """Official class names by label, from ``classInd.txt``; needs no ``setup``."""
        return ucf101_classes(self.ucf_root)

    @property
    def class_texts(self) -> list[str]:
        """Class names as VLM-Eval writes them, ``"Apply eye makeup"``: what answers resemble."""
        return [camel_case_to_text(name) for name in self.classes]

    @property
    def num_classes(self) -> int:
        """Number of actions."""
        return len(self.classes)

    @override
    def setup(self, stage: str) -> None:
        """Read the lists a stage needs; a missing list stops the run here.

        Args:
            stage: ``fit``, ``validate``, ``test`` or ``predict``.
        """
        if stage == "fit":
            self._sets["train_utility"] = self._clips(train=True)
            self._sets["train_privacy"] = self._photographs("train2017")
        if stage in ("fit", "validate"):
            self._sets["val_utility"] = self._clips(train=False)
            self._sets["val_privacy"] = self._photographs(self.vispr_val_split)
        if stage == "test":
            self._sets["test_utility"] = self._clips(train=False)
            self._sets["test_privacy"] = self._photographs("test2017")
        if stage == "predict":
            self._sets |= self._predicted()

    @override
    def train_dataloader(self) -> CombinedLoader:
        """Pairs of a utility and a privacy batch, shuffled by ``(seed, epoch)``."""
        loaders = {
            "utility": self._loader("train_utility", stream=UTILITY_STREAM),
            "privacy": self._loader("train_privacy", stream=PRIVACY_STREAM),
        }
        return CombinedLoader(loaders, mode=self.pairing)

    @override
    def val_dataloader(self) -> list[DataLoader[Any]]:
        """Utility loader, privacy loader."""
        return [self._loader("val_utility"), self._loader("val_privacy")]

    @override
    def test_dataloader(self) -> list[DataLoader[Any]]:
        """Utility loader, privacy loader."""
        return [self._loader("test_utility"), self._loader("test_privacy")]

    @override
    def predict_dataloader(self) -> list[DataLoader[Any]]:
        """The test clips, or the videos and then the images of ``predict_folder``."""
        return [self._loader(name) for name in self._sets if name.startswith("predict_")]

    @override
    def on_before_batch_transfer(
        self, batch: dict[str, Any], dataloader_idx: int
    ) -> dict[str, Any]:
        """Count unreadable files; the step sees batches without them.

        Args:
            batch: As the loader gives it.
            dataloader_idx: Index of the loader.

        Returns:
            The batch without the key ``unreadable``.
        """
        return self.unreadable.collect(batch, file=self._unreadable_file())

    def _clips(self, *, train: bool) -> UCF101:
        return UCF101(
            self.ucf_root,
            self.split,
            train=train,
            clip_frames=self.clip_frames,
            size=self.size,
            crop=self.crop,
        )

    def _photographs(self, split: VISPRSplit) -> VISPR:
        return VISPR(self.vispr_root, split, size=self.size, crop=self.crop)

    def _predicted(self) -> dict[str, IndexedSamples]:
        if self.predict_folder is None:
            return {"predict_utility": self._clips(train=False)}
        kinds: tuple[Literal["videos", "images"], ...] = ("videos", "images")
        found = {
            f"predict_{kind}": MediaFolder(
                self.predict_folder,
                kind,
                clip_frames=self.clip_frames,
                size=self.size,
                crop=self.crop,
            )
            for kind in kinds
            if media_files(self.predict_folder, kind)
        }
        if not found:
            raise DatasetNotFoundError(
                f"predict_folder: expected videos or images below {self.predict_folder}, found none"
            )
        return dict(found)

    def _loader(self, name: str, *, stream: int | None = None) -> DataLoader[Any]:
        dataset = self._sets[name]
        photographs = name.endswith(("privacy", "images"))
        return build_loader(
            dataset,
            batch_size=self.privacy_batch_size if photographs else self.batch_size,
            num_workers=self.num_workers,
            max_unreadable=self.unreadable.max_unreadable,
            sampler=None
            if stream is None
            else EpochSampler(len(dataset), self.seed, stream=stream),
        )

    def _unreadable_file(self) -> Path | None:
        if self.trainer is None:
            return None
        rank = self.trainer.global_rank
        name = "unreadable.txt" if rank == 0 else f"unreadable_rank{rank}.txt"
        return Path(self.trainer.default_root_dir) / name  # log_dir would wait for all ranks
