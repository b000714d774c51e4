"""The reviewer that the anonymizer was trained against."""

from torch import nn
from typing_extensions import override

from blackbox_anon.judges.abstract import AbstractJudge, Case


class CoTrainedReviewer(AbstractJudge):
    """The privacy reviewer as it stands at the end of training; no further training.

    This is how the paper words its evaluation. The anonymizer was trained to deceive this very
    network, so its figures overstate protection.
    """

    name = "reviewer"

    @override
    def prepare(self, case: Case) -> nn.Module:
        if not case.same_attributes:
            msg = (
                "`privacy_judge` must be trained on the tested attributes, which the reviewer was "
                "not; found CoTrainedReviewer. Use RetrainedClassifier"
            )
            raise ValueError(msg)
        return case.reviewer.eval()

    @override
    def description(self) -> dict[str, object]:
        return {"judge": self.name, "trained_on": "anonymized images, together with the anonymizer"}
