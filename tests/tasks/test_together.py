from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from blackbox_anon.errors import (
    BlackboxAnonError,
    BudgetExhaustedError,
    MLLMError,
    TooManyFailuresError,
)
from blackbox_anon.tasks.together import StopTogether


def one_of_two(other: int = 0) -> Any:  # noqa: ANN401  # stands in for a trainer
    """A process whose companion holds an error that weighs ``other``."""

    def reduce(value: Tensor, reduce_op: str) -> Tensor:
        assert reduce_op == "max"
        return value.clamp_min(other)

    strategy = SimpleNamespace(
        root_device=torch.device("cpu"),
        reduce=reduce,
        launcher=None,
        barrier=lambda name: None,  # noqa: ARG005  # a strategy's own
    )
    return SimpleNamespace(world_size=2, strategy=strategy)


def hold(error: BlackboxAnonError, trainer: Any) -> StopTogether:  # noqa: ANN401  # the same
    stop = StopTogether()
    with stop.holding(trainer):
        raise error
    assert stop.due
    return stop


def test_alone_nothing_is_held_back() -> None:
    alone = SimpleNamespace(world_size=1)
    with pytest.raises(MLLMError):
        hold(MLLMError("refused"), alone)
    StopTogether().agree(alone)  # type: ignore[arg-type]  # asks no more of a trainer


def test_goes_on_where_nobody_stops() -> None:
    StopTogether().agree(one_of_two())


@pytest.mark.parametrize(
    ("own", "other", "raised"),
    [
        (BudgetExhaustedError("cap"), 0, BudgetExhaustedError),
        (TooManyFailuresError("failed"), 3, BudgetExhaustedError),
        (MLLMError("refused"), 1, MLLMError),
        (MLLMError("refused"), 2, TooManyFailuresError),
    ],
)
def test_all_raise_the_gravest_kind(
    own: BlackboxAnonError, other: int, raised: type[BlackboxAnonError]
) -> None:
    trainer = one_of_two(other)
    stop = hold(own, trainer)
    with pytest.raises(BlackboxAnonError) as caught:
        stop.agree(trainer)
    assert type(caught.value) is raised
    assert (caught.value is own) == (type(own) is raised)
    assert not stop.due


def test_who_holds_nothing_says_that_another_one_stopped() -> None:
    with pytest.raises(BudgetExhaustedError, match="another process of this run stopped"):
        StopTogether().agree(one_of_two(3))


def test_what_is_no_error_of_ours_is_not_held_back() -> None:
    with pytest.raises(ZeroDivisionError), StopTogether().holding(one_of_two()):
        raise ZeroDivisionError
