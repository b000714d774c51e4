"""A set with private attributes, of which a config chooses the columns."""

from typing_extensions import override

from blackbox_anon.datamodules.abstract import AbstractDataModule


class AbstractAttributedDataModule(AbstractDataModule):
    """One data set whose samples have the attributes in :attr:`chosen`."""

    chosen: list[str]
    """Attribute ids by column; the constructor sets them."""

    @property
    @override
    def attributes(self) -> list[str]:
        return self.chosen

    @property
    def num_attributes(self) -> int:
        """Columns of the attribute labels."""
        return len(self.chosen)
