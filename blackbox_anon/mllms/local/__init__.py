"""The parts of a model that runs here: how it is loaded, asked and, if wished, scored.

:class:`~blackbox_anon.mllms.HuggingFaceMLLM` puts them together. What differs from family to family
is in one table.

Example:
    >>> from blackbox_anon.mllms.local import FAMILIES
    >>> sorted(FAMILIES)
    ['llava', 'qwen2_5_vl', 'qwen2_vl', 'video_llava']
"""

from blackbox_anon.mllms.local.batches import FittingBatches
from blackbox_anon.mllms.local.families import FAMILIES, Family, FramesAs, Media, family_of
from blackbox_anon.mllms.local.fingerprint import fingerprint
from blackbox_anon.mllms.local.first_token import top_logprobs
from blackbox_anon.mllms.local.inputs import ModelInputs
from blackbox_anon.mllms.local.likelihood import Likelihood, choice_likelihoods
from blackbox_anon.mllms.local.loading import DType, greedy, load
from blackbox_anon.mllms.local.names import choice_tokens
from blackbox_anon.mllms.local.pixels import FramePixels
from blackbox_anon.mllms.local.ready import ReadyModel
from blackbox_anon.mllms.local.templates import PromptTemplate

__all__ = [
    "FAMILIES",
    "DType",
    "Family",
    "FittingBatches",
    "FramePixels",
    "FramesAs",
    "Likelihood",
    "Media",
    "ModelInputs",
    "PromptTemplate",
    "ReadyModel",
    "choice_likelihoods",
    "choice_tokens",
    "family_of",
    "fingerprint",
    "greedy",
    "load",
    "top_logprobs",
]
