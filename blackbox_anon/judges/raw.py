"""A classifier of raw images, shown anonymized ones."""

from collections.abc import Iterator

from typing_extensions import override

from blackbox_anon.judges.abstract import Case
from blackbox_anon.judges.trained import AbstractTrainedJudge
from blackbox_anon.reviewers import AbstractReviewer
from blackbox_anon.types import PrivacyBatch


class RawClassifier(AbstractTrainedJudge):
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
    trained_on = "raw images"
    least_steps = 0

    def __init__(
        self,
        *,
        classifier: AbstractReviewer | None = None,
        steps: int = 5000,
        lr: float = 1e-3,
        seed: int = 0,
    ) -> None:
        super().__init__(classifier=classifier, steps=steps, lr=lr, seed=seed)
        if steps == 0 and classifier is None:
            msg = "`steps` must be positive where no `classifier` is given; found 0"
            raise ValueError(msg)

    @override
    def batches(self, case: Case) -> Iterator[PrivacyBatch]:
        return case.training_batches()
