"""A classifier of raw images, shown anonymized ones."""

from torch import nn
from typing_extensions import override

from blackbox_anon.judges.abstract import AbstractJudge, Case
from blackbox_anon.judges.training import check_budget, fresh_classifier, train_classifier
from blackbox_anon.reviewers import AbstractReviewer


class RawClassifier(AbstractJudge):
    """Trains a classifier on raw training images, or takes one that was, and does not adapt it.

    Any change of the images confuses it, whether or not they still tell the attribute: its figures
    overstate protection. With an anonymizer that changes nothing it gives the level of raw data.

    Args:
        classifier: What is trained or taken; ``None`` is the reviewer as it was before
            training.
        steps: Optimizer steps; 0 takes ``classifier`` as it is, with the weights it brings.
        lr: Peak learning rate of AdamW with a one-cycle schedule.
        seed: Seed of random weights and of mirroring.

    Raises:
        ValueError: If ``steps`` is negative, ``lr`` is not positive, or ``steps`` is 0 and no
            classifier is given.

    Reference:
        SelectivePrivacy (Ilic et al., CVPR 2024) evaluates in this way.
    """

    name = "raw"

    def __init__(
        self,
        *,
        classifier: AbstractReviewer | None = None,
        steps: int = 5000,
        lr: float = 1e-3,
        seed: int = 0,
    ) -> None:
        check_budget(steps, lr, least_steps=0)
        if steps == 0 and classifier is None:
            msg = "`steps` must be positive where no `classifier` is given; found 0"
            raise ValueError(msg)
        self.classifier, self.steps, self.lr, self.seed = classifier, steps, lr, seed
        self._architecture = "none yet"

    @override
    def prepare(self, case: Case) -> nn.Module:
        classifier = fresh_classifier(self.classifier, case, self.seed)
        self._architecture = classifier.name
        if self.steps == 0:
            return classifier.eval()
        return train_classifier(
            classifier, case.training_batches(), case, steps=self.steps, lr=self.lr, seed=self.seed
        )

    @override
    def description(self) -> dict[str, object]:
        return {
            "judge": self.name,
            "trained_on": "raw images",
            "classifier": self._architecture,
            "steps": self.steps,
            "lr": self.lr,
            "seed": self.seed,
        }
