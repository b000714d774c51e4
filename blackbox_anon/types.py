"""Batch types, and the letters that shapes are written with.

====== =========================================================
letter meaning
====== =========================================================
``B``  batch (samples)
``T``  frames of a clip
``C H W`` channels (RGB), height, width
``K``  classes
``A``  privacy attributes
``P``  trained parameters of the anonymizer
``N``  objectives
``M``  capacity of the gradient history
====== =========================================================

Frames are float in ``[0, 1]``, RGB, unless a signature says ``uint8``.
"""

from typing import NotRequired, TypedDict

from torch import Tensor


class UtilityBatch(TypedDict):
    """Clips or images with what the MLLM should answer."""

    frames: Tensor
    """``(B, T, 3, H, W)`` or ``(B, 3, H, W)``, in ``[0, 1]``."""
    label: NotRequired[Tensor]
    """Class index, ``(B,)``, int64; sets of questions have none."""
    question: NotRequired[list[str]]
    """``B`` questions, of sets that have them."""
    answers: NotRequired[list[list[str]]]
    """The annotators' answers to each question, ten where the set is complete."""
    name: list[str]
    """A stable name per sample (a path, or ``split/index``); equal names are the same sample."""
    place: NotRequired[Tensor]
    """Index of the place, ``(B,)``, int64; PeopleWorld's clips only."""


class PrivacyBatch(TypedDict):
    """Images or clips with the private attributes they show."""

    frames: Tensor
    """``(B, 3, H, W)`` or ``(B, T, 3, H, W)``, in ``[0, 1]``."""
    attributes: Tensor
    """``(B, A)``, float, 1 where the attribute is present, else 0."""
    name: list[str]
    """A stable name per sample; equal names are the same sample and count once."""


class PairBatch(TypedDict):
    """What one training step receives: a batch of the utility set and one of the privacy set."""

    utility: UtilityBatch
    privacy: PrivacyBatch
