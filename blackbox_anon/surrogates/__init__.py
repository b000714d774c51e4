"""Local models that stand in for the black box where a gradient is wanted.

A surrogate answers the same question about the same frames, with weights that lie on this machine.
It costs no query and can be differentiated; how far its answers are those of the black box, every
paid query tells. :class:`~blackbox_anon.estimators.SurrogateGuided` lets one point.

Example:
    >>> import torch
    >>> surrogate = ClipSurrogate(10, weights="peopleworld")
    >>> surrogate(torch.rand(2, 8, 3, 64, 64)).shape
    torch.Size([2, 10])
"""

from blackbox_anon.surrogates.abstract import AbstractSurrogate
from blackbox_anon.surrogates.clip import ClipSurrogate

__all__ = ["AbstractSurrogate", "ClipSurrogate"]
