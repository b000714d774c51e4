"""The parts of a config's data: which set, for what, trained or tested on."""

from dataclasses import dataclass

from lightning.pytorch import LightningDataModule

from blackbox_anon.datamodules import AbstractDataModule, PairedDataModule, Role, Stage
from blackbox_anon.datasets import AbstractDataset
from blackbox_anon.errors import BlackboxAnonError


@dataclass(frozen=True, kw_only=True)
class Part:
    """One list of samples.

    Attributes:
        module: Its set.
        stage: ``train``, ``val`` or ``test``.
        role: ``utility`` or ``privacy``.
        pair: The pair whose leak guard training samples pass, if there is one.
    """

    module: AbstractDataModule
    stage: Stage
    role: Role
    pair: PairedDataModule | None = None

    @property
    def title(self) -> str:
        """What the set is called."""
        return self.module.title

    def official(self) -> AbstractDataset:
        """The samples as the official lists have them."""
        return self.module.dataset(self.stage, self.role)

    def left_out(self) -> int:
        """How many of them the leak guard leaves out."""
        if self.pair is None:
            return 0
        return len(self.official()) - len(self.pair.dataset(self.stage, self.role))


def parts_of(data: LightningDataModule) -> list[Part]:
    """What a run reads, stage by stage, utility first.

    Args:
        data: A pair, or the data module of one set.

    Returns:
        The parts.

    Raises:
        BlackboxAnonError: If the data are not read from files.
    """
    if isinstance(data, PairedDataModule):
        stages: tuple[Stage, ...] = ("train", "val", "test")
        roles: tuple[Role, ...] = ("utility", "privacy")
        return [
            Part(module=data.module(stage, role), stage=stage, role=role, pair=data)
            for stage in stages
            for role in roles
        ]
    if isinstance(data, AbstractDataModule):
        return [
            Part(module=data, stage=stage, role=role)
            for stage in data.stages
            for role in data.roles
            if data.has(stage, role)
        ]
    raise BlackboxAnonError(
        f"`data` must be read from files to be checked; found {type(data).__name__}"
    )
