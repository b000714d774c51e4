"""The pair of sets a protocol needs: one to be asked about, one with attributes to hide."""

from typing import Any, Literal

from lightning.pytorch.utilities import CombinedLoader
from torch.utils.data import DataLoader
from typing_extensions import override

from blackbox_anon.datamodules.abstract import STAGES, AbstractDataModule, Role, Stage
from blackbox_anon.datamodules.counting import AbstractCountingDataModule
from blackbox_anon.datamodules.leak_guard import check_attributes, check_roles, without_tested
from blackbox_anon.datamodules.own_media import own_media
from blackbox_anon.datasets import AbstractDataset

Pairing = Literal["max_size_cycle", "min_size", "utility", "privacy"]

STREAMS: dict[Role, int] = {"utility": 0, "privacy": 1}
ROLES: tuple[Role, ...] = ("utility", "privacy")


class PairedDataModule(AbstractCountingDataModule):
    """Trains on batches of two sets side by side, and tests on the same sets or on two others.

    A training batch is ``{"utility": UtilityBatch, "privacy": PrivacyBatch}``, each of its set's
    own batch size; validation and test have two loaders, ``dataloader_idx`` 0 utility and 1
    privacy. Training takes both sets' training parts, validation their validation parts, testing
    the test parts of ``test_utility`` and ``test_privacy`` where they are given.

    No file that is tested on is trained on: where a test set of its own takes its files from the
    training set's source, as PA-HMDB51 does from HMDB51, they are left out of training and their
    number is logged. Validation is left as it is.

    Args:
        utility: The set whose classes or questions the MLLM is asked about.
        privacy: The set with attributes; its columns are the reviewer's.
        test_utility: What utility is tested on; ``None`` is ``utility``.
        test_privacy: What privacy is tested on; ``None`` is ``privacy``.
        pairing: What ends an epoch: the longer set, the shorter one starting over
            (``max_size_cycle``), the shorter set (``min_size``), or one pass over the named set,
            the other starting over or cut (``utility``, ``privacy``).
        leak_guard: Leave files of the test sets out of training.
        novel_attributes: Test on attributes that training never sees: ``test_privacy`` must share
            none with ``privacy``. Otherwise both must have the same.
        predict_folder: Anonymize the videos and images below this folder, not the test clips.

    Raises:
        ValueError: If a set cannot serve in its place, or the attributes do not fit.
    """

    def __init__(
        self,
        utility: AbstractDataModule,
        privacy: AbstractDataModule,
        *,
        test_utility: AbstractDataModule | None = None,
        test_privacy: AbstractDataModule | None = None,
        pairing: Pairing = "max_size_cycle",
        leak_guard: bool = True,
        novel_attributes: bool = False,
        predict_folder: str | None = None,
    ) -> None:
        used = {id(m): m for m in (utility, privacy, test_utility, test_privacy) if m is not None}
        super().__init__(sum(m.unreadable.max_unreadable for m in used.values()))
        self.modules: dict[Role, AbstractDataModule] = {"utility": utility, "privacy": privacy}
        self.test_modules: dict[Role, AbstractDataModule] = {
            "utility": test_utility or utility,
            "privacy": test_privacy or privacy,
        }
        self.pairing: Pairing = pairing
        self.leak_guard = leak_guard
        self.novel_attributes = novel_attributes
        self.predict_folder = predict_folder
        check_roles(self.modules, self.test_modules)
        check_attributes(self.attributes, self.test_attributes, novel=novel_attributes)
        self._sets: dict[tuple[Stage, Role], AbstractDataset] = {}
        self._predicted: list[tuple[Role, AbstractDataset]] = []
        self._testing = False

    @property
    def attributes(self) -> list[str]:
        """Attribute ids by column in training, which are the reviewer's; needs no data on disk."""
        return self.modules["privacy"].attributes

    @property
    def num_attributes(self) -> int:
        """Columns of the attribute labels in training."""
        return len(self.attributes)

    @property
    def test_attributes(self) -> list[str]:
        """Attribute ids by column in testing; others than in training if they are novel."""
        return self.test_modules["privacy"].attributes

    @property
    def classes(self) -> list[str]:
        """Class names by label, of the test set once ``setup`` was for testing."""
        return self._asked.classes

    @property
    def class_texts(self) -> list[str]:
        """The same as answers are written: ``Apply eye makeup``, ``shoot ball``."""
        return self._asked.class_texts

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)

    def module(self, stage: Stage, role: Role) -> AbstractDataModule:
        """The data module that serves one part.

        Args:
            stage: ``train``, ``val`` or ``test``.
            role: ``utility`` or ``privacy``.

        Returns:
            The module.
        """
        return (self.test_modules if stage == "test" else self.modules)[role]

    def dataset(self, stage: Stage, role: Role) -> AbstractDataset:
        """The samples of one part, read at the first call; training ones pass the leak guard.

        Args:
            stage: ``train``, ``val`` or ``test``.
            role: ``utility`` or ``privacy``.

        Returns:
            The samples.

        Raises:
            DatasetNotFoundError: If something of an official layout is missing.
        """
        if (stage, role) not in self._sets:
            found = self.module(stage, role).dataset(stage, role)
            if stage == "train" and self.leak_guard:
                found = without_tested(found, role, self.modules, self.test_modules)
            self._sets[stage, role] = found
        return self._sets[stage, role]

    @override
    def setup(self, stage: str) -> None:
        """Read the lists a stage needs; a missing list stops the run here.

        Args:
            stage: ``fit``, ``validate``, ``test`` or ``predict``.
        """
        self._testing = stage in ("test", "predict")
        if stage == "predict":
            self._predicted = self._to_predict()
            return
        for part in STAGES[stage]:
            for role in ROLES:
                self.dataset(part, role)

    @override
    def train_dataloader(self) -> CombinedLoader:
        """Pairs of a utility and a privacy batch, shuffled by ``(seed, epoch)``."""
        loaders = {
            role: self.modules[role].loader(self.dataset("train", role), stream=STREAMS[role])
            for role in ROLES
        }
        mode = self.pairing
        if mode == "utility" or mode == "privacy":
            longer = all(len(loaders[mode]) >= len(loader) for loader in loaders.values())
            return CombinedLoader(loaders, "max_size_cycle" if longer else "min_size")
        return CombinedLoader(loaders, mode)

    @override
    def val_dataloader(self) -> list[DataLoader[Any]]:
        """Utility loader, privacy loader."""
        return [self.modules[role].loader(self.dataset("val", role)) for role in ROLES]

    @override
    def test_dataloader(self) -> list[DataLoader[Any]]:
        """Utility loader, privacy loader."""
        return [self.test_modules[role].loader(self.dataset("test", role)) for role in ROLES]

    @override
    def predict_dataloader(self) -> list[DataLoader[Any]]:
        """The test clips, or the videos and then the images of ``predict_folder``."""
        return [self.modules[role].loader(dataset) for role, dataset in self._predicted]

    def attacker_dataloader(self) -> DataLoader[Any]:
        """What a privacy classifier is retrained on: the test attributes, of training images.

        That is the training part of ``privacy``, or of ``test_privacy`` if its attributes are
        novel: an attacker may learn what the anonymizer never knew of.
        """
        if not self.novel_attributes:
            return self.modules["privacy"].loader(self.dataset("train", "privacy"), stream=2)
        module = self.test_modules["privacy"]
        return module.loader(module.dataset("train", "privacy"), stream=2)

    @property
    def _asked(self) -> AbstractDataModule:
        return self.module("test" if self._testing else "train", "utility")

    def _to_predict(self) -> list[tuple[Role, AbstractDataset]]:
        if self.predict_folder is None:
            return [("utility", self.dataset("test", "utility"))]
        return [*own_media(self.predict_folder, self.modules)]  # needs no data set on disk
