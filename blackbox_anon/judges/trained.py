"""What judges that train a classifier have in common."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from torch import nn
from typing_extensions import override

from blackbox_anon.judges.abstract import AbstractJudge, Case
from blackbox_anon.judges.training import check_budget, fresh_classifier, train_classifier
from blackbox_anon.reviewers import AbstractReviewer
from blackbox_anon.types import PrivacyBatch


class AbstractTrainedJudge(AbstractJudge):
    """Trains a classifier within a budget, the same way whatever images it sees.

    Args:
        classifier: What is trained; ``None`` is the reviewer as it was before training.
        steps: Optimizer steps.
        lr: Peak learning rate of AdamW with a one-cycle schedule.
        seed: Seed of random weights and of mirroring.

    Raises:
        ValueError: If ``steps`` is below :attr:`least_steps` or ``lr`` is not positive.
    """

    trained_on: ClassVar[str]
    """Which images, in words for a reader of the result."""
    least_steps: ClassVar[int] = 1
    """Smallest budget; with 0 steps the classifier is taken as it is."""

    def __init__(
        self,
        *,
        classifier: AbstractReviewer | None = None,
        steps: int = 5000,
        lr: float = 1e-3,
        seed: int = 0,
    ) -> None:
        check_budget(steps, lr, least_steps=self.least_steps)
        self.classifier, self.steps, self.lr, self.seed = classifier, steps, lr, seed
        self._architecture = "none yet"

    @abstractmethod
    def batches(self, case: Case) -> Iterator[PrivacyBatch]:
        """Return endless batches to train on, with true labels.

        Args:
            case: The run that is judged.
        """

    @override
    def prepare(self, case: Case) -> nn.Module:
        classifier = fresh_classifier(self.classifier, case, self.seed)
        self._architecture = classifier.name
        if self.steps == 0:
            return classifier.eval()
        return train_classifier(
            classifier, self.batches(case), case, steps=self.steps, lr=self.lr, seed=self.seed
        )

    @override
    def description(self) -> dict[str, object]:
        return {
            "judge": self.name,
            "trained_on": self.trained_on,
            "classifier": self._architecture,
            "steps": self.steps,
            "lr": self.lr,
            "seed": self.seed,
        }
