"""Errors a user can catch: one base class and its few children."""


class BlackboxAnonError(Exception):
    """Base of every error this package raises on purpose."""


class DatasetNotFoundError(BlackboxAnonError):
    """A data root lacks what the official layout has; the message says where to get it."""


class UnreadableDataError(BlackboxAnonError):
    """More files could not be read than the run allows; the message lists them."""


class MLLMError(BlackboxAnonError):
    """The black box broke its contract, or cannot be asked at all, as after a refused key.

    Args:
        message: What to tell a user.
        billed: False if the call that raised cost nothing for certain; a ledger then frees what it
            had reserved.
    """

    def __init__(self, message: str = "", *, billed: bool = True) -> None:
        super().__init__(message)
        self.billed = billed


class CollapseError(BlackboxAnonError):
    """Training collapsed; the message gives the reason and the last good checkpoint."""


class WeightsNotFoundError(BlackboxAnonError):
    """Weights named by a path are not there, or do not fit the module."""


class CheckpointError(BlackboxAnonError):
    """A checkpoint is truncated, corrupt or another run's; the message names the file."""


class StoreError(BlackboxAnonError):
    """A ledger or a cache cannot be used: damaged, of another version, or some other file."""


class BudgetExhaustedError(BlackboxAnonError):
    """A cap in queries, tokens or money is reached; what was spent is in the ledger."""


class TooManyFailuresError(BlackboxAnonError):
    """More calls failed than the run allows; the message sums up which and how."""


class TooFewPairsError(BlackboxAnonError):
    """Too few pairs of a step were answered; nothing has changed, so it may be asked again.

    All processes raise it together.

    Args:
        valid_share: Share of the pairs of which both halves were answered, over all processes.
        least: The share that was needed.
    """

    def __init__(self, valid_share: float, least: float) -> None:
        self.valid_share = valid_share
        super().__init__(
            f"at least {least:.0%} of a step's pairs (`min_valid_share`), and more than none, must "
            f"be answered on both sides; found {valid_share:.0%}"
        )
