"""Several reviewers at once, with restarts: the worst member counts."""

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn
from typing_extensions import override

from blackbox_anon.reviewers.abstract import AbstractReviewer


class ReviewerEnsemble(AbstractReviewer):
    """VITA's scheme: the anonymizer faces the member that knows most; members restart in turn.

    Args:
        members: Reviewers with the same attributes; they may differ in backbone.

    Reference:
        Budget model ensemble and restarting, Wu et al., TPAMI 2020.
    """

    def __init__(self, members: Sequence[AbstractReviewer]) -> None:
        super().__init__()
        if not members:
            msg = "`members` must hold at least one reviewer; found none"
            raise ValueError(msg)
        self.members = nn.ModuleList(members)
        self._reviewers = tuple(members)  # typed; registered by `members`
        self.num_attributes = members[0].num_attributes
        self.privacy_loss_name = members[0].privacy_loss_name

    @override
    def forward(self, frames: Tensor) -> Tensor:
        return torch.stack([member(frames) for member in self.members]).mean(0)

    def _each(self, name: str, *args: Tensor) -> Tensor:
        return torch.stack([getattr(member, name)(*args) for member in self.members])

    @override
    def loss(self, frames: Tensor, attributes: Tensor) -> Tensor:
        return self._each("loss", frames, attributes).sum()

    @override
    def privacy_loss(self, frames: Tensor) -> Tensor:
        return self._each("privacy_loss", frames).max()

    @override
    def restart(self, generation: int) -> None:
        self._reviewers[generation % len(self._reviewers)].restart(generation)

    @override
    def fresh(self, seed: int) -> Self:
        members = [member.fresh(seed + i) for i, member in enumerate(self._reviewers)]
        return type(self)(members)
