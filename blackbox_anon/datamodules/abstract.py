"""What the data module of one set has: its parts, its loaders, its count of unreadable files."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

from torch.utils.data import DataLoader
from typing_extensions import override

from blackbox_anon.datamodules.counting import AbstractCountingDataModule
from blackbox_anon.datamodules.loading import build_loader
from blackbox_anon.datamodules.sampling import EpochSampler
from blackbox_anon.datasets import AbstractDataset

Stage = Literal["train", "val", "test"]
Role = Literal["utility", "privacy"]

STAGES: dict[str, tuple[Stage, ...]] = {
    "fit": ("train", "val"),
    "validate": ("val",),
    "test": ("test",),
    "predict": ("test",),
}
"""Parts of a set that Lightning's stages need."""


class AbstractDataModule(AbstractCountingDataModule, ABC):
    """One data set, usable alone or as a part of :class:`PairedDataModule`.

    Alone, every stage has one loader per role of the set. The order of training depends on the
    seed and the epoch alone; nothing is augmented. Unreadable files are replaced, logged, and
    listed in ``<trainer.default_root_dir>/unreadable.txt``.

    Args:
        batch_size: Samples per batch and device.
        num_workers: Worker processes per loader.
        max_unreadable: Different files that may fail before the run is stopped.
        seed: Seed of the shuffle.
    """

    title: ClassVar[str]
    """What the set is called."""
    stages: ClassVar[tuple[Stage, ...]] = ("train", "val", "test")
    """The parts it has."""
    roles: ClassVar[tuple[Role, ...]]
    """What samples serve for: ``utility`` has classes or questions, ``privacy`` attributes."""
    source: ClassVar[str]
    """Sets of one source take their files from one another."""
    instructions: ClassVar[str]
    """The layout it expects, and where to get it."""

    def __init__(
        self, *, batch_size: int, num_workers: int, max_unreadable: int, seed: int
    ) -> None:
        super().__init__(max_unreadable)
        if batch_size < 1:
            raise ValueError(f"batch_size: expected 1 or more, found {batch_size}")
        self.batch_size, self.num_workers, self.seed = batch_size, num_workers, seed
        self._sets: dict[tuple[Stage, Role], AbstractDataset] = {}

    @abstractmethod
    def build(self, stage: Stage, role: Role) -> AbstractDataset:
        """Read the lists and labels of one part; called once per part.

        Args:
            stage: ``train``, ``val`` or ``test``.
            role: One of :attr:`roles`.

        Returns:
            The samples.

        Raises:
            DatasetNotFoundError: If something of the official layout is missing.
            ValueError: If the set has no such part.
        """

    @abstractmethod
    def official_count(self, stage: Stage, role: Role) -> int | None:
        """How many samples a part has in the official release.

        Args:
            stage: ``train``, ``val`` or ``test``.
            role: One of :attr:`roles`.

        Returns:
            The number, ``None`` where none was published.
        """

    def has(self, stage: Stage, role: Role) -> bool:
        """Whether the set has a part.

        Args:
            stage: ``train``, ``val`` or ``test``.
            role: ``utility`` or ``privacy``.
        """
        return stage in self.stages and role in self.roles

    @property
    def classes(self) -> list[str]:
        """Official class names by label, without ``setup``; empty where there are none."""
        return []

    @property
    def class_texts(self) -> list[str]:
        """Class names as answers are written."""
        return self.classes

    @property
    def attributes(self) -> list[str]:
        """Attribute ids by column, without ``setup``; empty where there are none."""
        return []

    def dataset(self, stage: Stage, role: Role) -> AbstractDataset:
        """One part of the set, read at the first call.

        Args:
            stage: ``train``, ``val`` or ``test``.
            role: ``utility`` or ``privacy``.

        Returns:
            The samples.

        Raises:
            DatasetNotFoundError: If something of the official layout is missing.
            ValueError: If the set has no such part.
        """
        if role not in self.roles:
            raise ValueError(
                f"{role}: expected one of the roles of {type(self).__name__} {self.roles}"
            )
        if (stage, role) not in self._sets:
            self._sets[stage, role] = self.build(stage, role)
        return self._sets[stage, role]

    def loader(self, dataset: AbstractDataset, *, stream: int | None = None) -> DataLoader[Any]:
        """A loader with this module's batch size and workers.

        Args:
            dataset: Samples, of this set or another.
            stream: Shuffle by ``(seed, stream, epoch)``; ``None`` keeps the order.

        Returns:
            The loader.
        """
        sampler = None
        if stream is not None:
            sampler = EpochSampler(len(dataset), self.seed, stream=stream)
        return build_loader(
            dataset,
            batch_size=self.batch_size,
            num_workers=self.num_workers,
            max_unreadable=self.unreadable.max_unreadable,
            sampler=sampler,
        )

    @override
    def setup(self, stage: str) -> None:
        """Read the lists a stage needs; a missing list stops the run here.

        Args:
            stage: ``fit``, ``validate``, ``test`` or ``predict``.
        """
        for part in STAGES[stage]:
            for role in self.roles:
                self.dataset(part, role)

    @override
    def train_dataloader(self) -> Any:
        """The training part, shuffled by ``(seed, epoch)``."""
        return self.loader(self.dataset("train", self.roles[0]), stream=0)

    @override
    def val_dataloader(self) -> list[DataLoader[Any]]:
        """One loader per role."""
        return [self.loader(self.dataset("val", role)) for role in self.roles]

    @override
    def test_dataloader(self) -> list[DataLoader[Any]]:
        """One loader per role."""
        return [self.loader(self.dataset("test", role)) for role in self.roles]

    @override
    def predict_dataloader(self) -> list[DataLoader[Any]]:
        """The test part of the first role."""
        return [self.loader(self.dataset("test", self.roles[0]))]
