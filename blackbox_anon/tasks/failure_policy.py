"""What a run does about calls that failed."""

from dataclasses import dataclass
from typing import Literal, get_args

from blackbox_anon.arguments import require

TooFewPairs = Literal["repeat", "skip"]


@dataclass(frozen=True, kw_only=True)
class FailurePolicy:
    """How much may fail, in a training step and in a run; retries of one call are the MLLM's.

    Attributes:
        min_valid_share: Least share of a step's pairs, over all processes, of which both halves
            were answered. The estimate is made of these alone.
        too_few_pairs: What follows a step with fewer: ``repeat`` asks the same questions about the
            same frames again (a cache in front of the service answers what already succeeded),
            ``skip`` gives the step up at once.
        max_repeats: How often a step is repeated before it is given up too.
        max_failed_share: A run in which more of the last ``window`` calls failed is stopped, with a
            :class:`~blackbox_anon.errors.TooManyFailuresError`; 1 stops none.
        window: Calls that are looked back on.
        min_calls: Calls before that; a first few failures stop nothing.

    Raises:
        ValueError: If a value is out of its range.
    """

    min_valid_share: float = 0.5
    too_few_pairs: TooFewPairs = "repeat"
    max_repeats: int = 3
    max_failed_share: float = 0.5
    window: int = 200
    min_calls: int = 50

    def __post_init__(self) -> None:
        least, most, choice = self.min_valid_share, self.max_failed_share, self.too_few_pairs
        require(
            min_valid_share=(least, 0 <= least <= 1, "in [0, 1]"),
            too_few_pairs=(choice, choice in get_args(TooFewPairs), "'repeat' or 'skip'"),
            max_repeats=(self.max_repeats, self.max_repeats >= 0, "0 or more"),
            max_failed_share=(most, 0 <= most <= 1, "in [0, 1]"),
            window=(self.window, self.window >= 1, "1 or more"),
            min_calls=(self.min_calls, self.min_calls >= 1, "1 or more"),
        )

    @property
    def attempts(self) -> int:
        """How often a step is asked at most."""
        return 1 + (self.max_repeats if self.too_few_pairs == "repeat" else 0)
