"""From responses to class scores."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor

from blackbox_anon.mllms.answers import Response


class AbstractScorer(ABC):
    """Scores every class for every response."""

    @abstractmethod
    def scores(self, responses: Sequence[Response], classes: Sequence[str]) -> Tensor:
        """Score classes.

        Args:
            responses: ``B`` answers of the black box.
            classes: ``K`` class texts, in label order.

        Returns:
            Scores, shape ``(B, K)``, float32 on the CPU; larger is better. The cross-entropy of
            ``logit_scale * scores`` is the utility loss.
        """
