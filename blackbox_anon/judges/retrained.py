"""An attacker that learns from anonymized images."""

from collections.abc import Iterator

from typing_extensions import override

from blackbox_anon.judges.abstract import Case
from blackbox_anon.judges.trained import AbstractTrainedJudge
from blackbox_anon.types import PrivacyBatch


class RetrainedClassifier(AbstractTrainedJudge):
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

    @override
    def batches(self, case: Case) -> Iterator[PrivacyBatch]:
        for batch in case.training_batches():
            yield {**batch, "frames": case.anonymize(batch["frames"])}
