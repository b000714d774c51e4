"""Two accounts that do not fit are told apart."""

from collections import Counter

import pytest

from benchmarks.rehearsal.accounts import Book, Journal, Outcomes, Reconciled

MEANT: Outcomes = {"a": ["server_error", "response"], "b": ["response"], "c": ["timeout"]}


def reconciled(found: Outcomes, *, tokens: int = 9, **states: int) -> Reconciled:
    return Reconciled(
        journal=Journal(sent=MEANT, faults=Counter({"500": 1, "drip": 1}), tokens=9),
        book=Book(found=found, states=Counter(states), tokens=tokens),
    )


def test_the_same_attempts_under_other_keys_fit() -> None:
    found = {"x": ["timeout"], "y": ["response"], "z": ["server_error", "response"]}
    assert reconciled(found).differences() == []
    assert reconciled(found).late == 0


def test_an_answer_that_came_too_late_fits_and_is_counted() -> None:
    both = reconciled({**MEANT, "b": ["timeout"]})
    assert both.differences() == []
    assert both.late == 1


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({**MEANT, "b": []}, "4 requests received, 3 attempts in the book"),
        ({**MEANT, "a": ["response", "response"]}, "3 response in the book, 2 meant"),
        ({**MEANT, "c": ["response"]}, "1 drips were taken for something else"),
        ({**MEANT, "a": ["response", "server_error"]}, "ended otherwise"),
    ],
)
def test_what_does_not_fit_is_told(found: Outcomes, message: str) -> None:
    assert any(message in told for told in reconciled(found).differences())


def test_what_was_billed_must_be_in_the_book_and_settled() -> None:
    told = reconciled(MEANT, tokens=8, in_flight=1).differences()
    assert told == ["1 attempts were never settled", "8 tokens in the book, 9 billed"]
