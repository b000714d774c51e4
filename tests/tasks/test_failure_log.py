import pytest

from blackbox_anon.errors import TooManyFailuresError
from blackbox_anon.mllms import Answer, Failure, Response
from blackbox_anon.tasks import FailurePolicy
from blackbox_anon.tasks.failure_log import FailureLog

SAID = Response(text="run")
LATE = Failure(kind="timeout", message="30 s passed")
DECLINED = Failure(kind="refusal", message="declined politely")


def add(log: FailureLog, *answers: Answer) -> None:
    log.add(log.tally(answers))


def test_stops_with_a_summary_by_kind() -> None:
    log = FailureLog(FailurePolicy(max_failed_share=0.5, min_calls=4, window=4))
    add(log, SAID, SAID)
    add(log, LATE, LATE)  # half of them is not more than half
    with pytest.raises(TooManyFailuresError) as caught:
        add(log, DECLINED, LATE)
    assert str(caught.value) == (
        "4 of the last 4 calls to the MLLM failed (`max_failed_share` is 0.5). In all 4 of 6 "
        "failed: timeout 3, refusal 1. Last: 30 s passed"
    )


def test_a_few_calls_stop_nothing() -> None:
    log = FailureLog(FailurePolicy(min_calls=4))
    add(log, LATE, LATE, LATE)
    with pytest.raises(
        TooManyFailuresError, match=r"timeout 3, refusal 1\. Last: declined politely"
    ):
        add(log, DECLINED)


def test_what_lies_before_the_window_is_forgotten() -> None:
    log = FailureLog(FailurePolicy(max_failed_share=0.5, min_calls=1, window=4))
    add(log, *[SAID] * 100)
    add(log, LATE, SAID, LATE, SAID)
    with pytest.raises(TooManyFailuresError, match="3 of the last 5"):
        add(log, LATE)  # tallies are kept whole
    assert log.asked == 105
    assert log.failed == {"timeout": 3}


def test_a_share_of_one_stops_nothing() -> None:
    log = FailureLog(FailurePolicy(max_failed_share=1.0, min_calls=1))
    for _ in range(9):
        add(log, LATE)
    with pytest.raises(TooManyFailuresError, match="In all 9 of 9 failed"):
        log.require_an_answer()
    add(log, SAID)
    log.require_an_answer()


def test_nothing_asked_is_nothing_failed() -> None:
    FailureLog(FailurePolicy()).require_an_answer()


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("min_valid_share", 1.1),
        ("too_few_pairs", "ignore"),
        ("max_repeats", -1),
        ("max_failed_share", -0.1),
        ("window", 0),
        ("min_calls", 0),
    ],
)
def test_refuses(argument: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"`{argument}` must be .*; found {value!r}"):
        FailurePolicy(**{argument: value})  # type: ignore[arg-type]  # wrong on purpose
