"""Anonymizers: frames in, frames of the same shape and range out.

:class:`UNetAnonymizer` is trained; the others are the field's heuristic baselines.

Example:
    >>> import torch
    >>> anonymizer = UNetAnonymizer("tu-tf_mobilenetv3_small_minimal_100", depth=3, width=16)
    >>> anonymizer(torch.rand(2, 8, 3, 64, 64)).shape
    torch.Size([2, 8, 3, 64, 64])
"""

from blackbox_anon.anonymizers.abstract import AbstractAnonymizer
from blackbox_anon.anonymizers.fixed import (
    AbstractRegionAnonymizer,
    BlackOut,
    Blur,
    Downsample,
    Identity,
)
from blackbox_anon.anonymizers.unet import UNetAnonymizer

__all__ = [
    "AbstractAnonymizer",
    "AbstractRegionAnonymizer",
    "BlackOut",
    "Blur",
    "Downsample",
    "Identity",
    "UNetAnonymizer",
]
