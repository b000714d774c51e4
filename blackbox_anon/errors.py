"""Errors a user can catch: one base class and its few children."""


class BlackboxAnonError(Exception):
    """Base of every error this package raises on purpose."""


class DatasetNotFoundError(BlackboxAnonError):
    """A data root lacks what the official layout has; the message says where to get it."""


class UnreadableDataError(BlackboxAnonError):
    """More files could not be read than the run allows; the message lists them."""


class MLLMError(BlackboxAnonError):
    """The black box broke its contract: wrong count of responses, or an answer of another type."""


class CollapseError(BlackboxAnonError):
    """Training collapsed; the message gives the reason and the last good checkpoint."""


class WeightsNotFoundError(BlackboxAnonError):
    """Weights named by a path are not there, or do not fit the module."""
