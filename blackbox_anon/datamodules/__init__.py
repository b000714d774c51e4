"""Splits, loaders, and the order of samples.

A training batch pairs clips or images with what they are good for and with what they should not
tell: ``{"utility": UtilityBatch, "privacy": PrivacyBatch}``. Validation and test have two loaders,
utility first. The order of an epoch depends on the seed and the epoch alone.

Example:
    >>> from blackbox_anon.datamodules import EpochSampler
    >>> ranks = [list(EpochSampler(7, seed=0, rank=r, world_size=2)) for r in range(2)]
    >>> [len(part) for part in ranks], len(set(ranks[0] + ranks[1]))
    ([3, 3], 6)
"""

from blackbox_anon.datamodules.loading import build_loader
from blackbox_anon.datamodules.sampling import EpochSampler
from blackbox_anon.datamodules.ucf import UCF101DataModule
from blackbox_anon.datamodules.unreadable import UnreadableLog

__all__ = ["EpochSampler", "UCF101DataModule", "UnreadableLog", "build_loader"]
