"""What estimators share that stand around another one."""

from abc import ABC

from torch import Tensor
from typing_extensions import override

from blackbox_anon.estimators.abstract import AbstractEstimator


class AbstractWrappingEstimator(AbstractEstimator, ABC):
    """Passes on to another estimator whatever a subclass does not do itself.

    Args:
        estimator: The wrapped one.
    """

    def __init__(self, estimator: AbstractEstimator) -> None:
        super().__init__()
        self.estimator = estimator

    @property
    @override
    def queries_per_sample(self) -> int:
        return self.estimator.queries_per_sample  # at most: a wrapper may ask less

    @override
    def allocate(self, num_parameters: int) -> None:
        self.estimator.allocate(num_parameters)

    @override
    def heed(self, active: Tensor) -> None:
        self.estimator.heed(active)

    @override
    def reset(self) -> None:
        self.estimator.reset()
