"""Splits, loaders, and the order of samples.

Each data set has a data module of its own; :class:`PairedDataModule` puts together the two, or
four, that a protocol needs. Its training batch pairs clips or images with what they are good for
and with what they should not tell: ``{"utility": UtilityBatch, "privacy": PrivacyBatch}``.
Validation and test have two loaders, utility first. The order of an epoch depends on the seed and
the epoch alone.

Example:
    >>> from blackbox_anon.datamodules import EpochSampler, PairedDataModule, UCF101DataModule
    >>> from blackbox_anon.datamodules import VISPRDataModule
    >>> ranks = [list(EpochSampler(7, seed=0, rank=r, world_size=2)) for r in range(2)]
    >>> [len(part) for part in ranks], len(set(ranks[0] + ranks[1]))
    ([3, 3], 6)
    >>> pair = PairedDataModule(UCF101DataModule("data/ucf"), VISPRDataModule("data/vispr"))
    >>> pair.num_attributes
    7
"""

from blackbox_anon.datamodules.abstract import AbstractDataModule, Role, Stage
from blackbox_anon.datamodules.hmdb import HMDB51DataModule
from blackbox_anon.datamodules.loading import build_loader
from blackbox_anon.datamodules.okvqa import OKVQADataModule
from blackbox_anon.datamodules.pa_hmdb import PAHMDB51DataModule
from blackbox_anon.datamodules.paired import PairedDataModule
from blackbox_anon.datamodules.resumable import ResumableLoader, read_ahead
from blackbox_anon.datamodules.sampling import EpochSampler
from blackbox_anon.datamodules.ucf import UCF101DataModule
from blackbox_anon.datamodules.unreadable import UnreadableLog
from blackbox_anon.datamodules.vispr import VISPRDataModule
from blackbox_anon.datamodules.vp_hmdb import VPHMDB51DataModule
from blackbox_anon.datamodules.vp_ucf import VPUCF101DataModule

__all__ = [
    "AbstractDataModule",
    "EpochSampler",
    "HMDB51DataModule",
    "OKVQADataModule",
    "PAHMDB51DataModule",
    "PairedDataModule",
    "ResumableLoader",
    "Role",
    "Stage",
    "UCF101DataModule",
    "UnreadableLog",
    "VISPRDataModule",
    "VPHMDB51DataModule",
    "VPUCF101DataModule",
    "build_loader",
    "read_ahead",
]
