"""What a judge is told, and what it must say."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from blackbox_anon.reviewers import AbstractReviewer
from blackbox_anon.types import PrivacyBatch


@dataclass(frozen=True, kw_only=True)
class Case:
    """The run that is judged.

    Attributes:
        anonymize: From frames to what a service receives, 8-bit steps in ``[0, 1]``.
        reviewer: The reviewer that was trained with the anonymizer.
        training_batches: Endless privacy batches of the training part, on the device.
        mean_over_ranks: Averages a tensor over processes.
        num_attributes: Columns of the labels that are tested on.
        same_attributes: Whether these are the attributes that the reviewer was trained on.
        quick: A test of the program, not of privacy: train one step.
        show_progress: Whether to draw a progress bar.
    """

    anonymize: Callable[[Tensor], Tensor]
    reviewer: AbstractReviewer
    training_batches: Callable[[], Iterator[PrivacyBatch]]
    mean_over_ranks: Callable[[Tensor], Tensor]
    num_attributes: int
    same_attributes: bool
    quick: bool
    show_progress: bool


class AbstractJudge(ABC):
    """Says which private attributes it sees in anonymized frames.

    It is no ``nn.Module``: what it learns belongs to one test and never enters a checkpoint.
    """

    name: str
    """What results are named by."""

    @abstractmethod
    def prepare(self, case: Case) -> nn.Module:
        """Get ready for one anonymizer; called before testing, with gradients possible.

        Args:
            case: The run that is judged.

        Returns:
            A classifier in evaluation mode, from frames ``(B, 3, H, W)`` or ``(B, T, 3, H, W)`` to
            logits ``(B, A)``.

        Raises:
            ValueError: If this judge cannot judge this case.
        """

    @abstractmethod
    def description(self) -> dict[str, object]:
        """Return what a reader of the result must know: the classifier and its training."""
