"""An attacker that learns from anonymized images."""

from collections.abc import Iterator

from torch import nn
from typing_extensions import override

from blackbox_anon.judges.abstract import AbstractJudge, Case
from blackbox_anon.judges.training import check_budget, fresh_classifier, train_classifier
from blackbox_anon.reviewers import AbstractReviewer
from blackbox_anon.types import PrivacyBatch


class RetrainedClassifier(AbstractJudge):
    """Trains a classifier on anonymized training images with their true labels: the strict judge.

    The anonymizer stays as it is. A classifier that was not trained long enough overstates
    protection, so compare methods at one budget, and look at what it reaches on raw images
    (:class:`RawClassifier`).

    Args:
        classifier: What is trained; ``None`` is the reviewer as it was before training, with
            pretrained weights if it was given any. One with pretrained weights is stricter.
        steps: Optimizer steps, each on one privacy batch of the data module.
        lr: Peak learning rate of AdamW with a one-cycle schedule.
        seed: Seed of random weights and of mirroring.

    Raises:
        ValueError: If ``steps`` or ``lr`` is not positive.

    Reference:
        Wu et al., TPAMI 2020 (attackers trained on anonymized images); SPAct (Dave et al., CVPR
        2022) and STPrivacy (Li et al., 2023) likewise.
    """

    name = "retrained"
    trained_on = "anonymized images, after the anonymizer was fixed"

    def __init__(
        self,
        *,
        classifier: AbstractReviewer | None = None,
        steps: int = 5000,
        lr: float = 1e-3,
        seed: int = 0,
    ) -> None:
        check_budget(steps, lr, least_steps=1)
        self.classifier, self.steps, self.lr, self.seed = classifier, steps, lr, seed
        self._architecture = "none yet"

    @override
    def prepare(self, case: Case) -> nn.Module:
        classifier = fresh_classifier(self.classifier, case, self.seed)
        self._architecture = classifier.name
        return train_classifier(
            classifier, self._anonymized(case), case, steps=self.steps, lr=self.lr, seed=self.seed
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

    def _anonymized(self, case: Case) -> Iterator[PrivacyBatch]:
        for batch in case.training_batches():
            yield {**batch, "frames": case.anonymize(batch["frames"])}
