"""A case whose one attribute is plain to see, unless the anonymizer hides it."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from blackbox_anon.judges import Case
from blackbox_anon.reviewers import AbstractReviewer, AttributeReviewer
from blackbox_anon.types import PrivacyBatch


def marked(count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Images of noise, half of them brighter on their left, with the attribute that says so."""
    generator = torch.Generator().manual_seed(seed)
    shown = (torch.arange(count) % 2).float()
    frames = torch.rand(count, 3, 32, 32, generator=generator) * 0.4
    frames[shown.bool(), :, 8:24, 8:24] += 0.5
    return frames, torch.stack([shown, torch.zeros(count)], dim=1)


def batches(seed: int = 0) -> Iterator[PrivacyBatch]:
    number = seed * 1000
    while True:
        frames, attributes = marked(16, seed=number)
        yield {"frames": frames, "attributes": attributes, "name": [str(i) for i in range(16)]}
        number += 1


def hidden(frames: Tensor) -> Tensor:
    """An anonymizer that leaves nothing."""
    return torch.full_like(frames, 0.5)


def seen(frames: Tensor) -> Tensor:
    return frames


def make_case(
    anonymize: Callable[[Tensor], Tensor] = seen,
    *,
    reviewer: AbstractReviewer | None = None,
    num_attributes: int = 2,
    same_attributes: bool = True,
    quick: bool = False,
) -> Case:
    torch.manual_seed(5)
    return Case(
        anonymize=anonymize,
        reviewer=reviewer or AttributeReviewer("test_resnet", 2),
        training_batches=batches,
        mean_over_ranks=lambda values: values,
        num_attributes=num_attributes,
        same_attributes=same_attributes,
        quick=quick,
        show_progress=False,
    )
