"""Calls that are set aside in a ledger."""

from blackbox_anon.ledger import (
    Caps,
    Ledger,
    Refusal,
    Reservation,
    find_price,
)
from blackbox_anon.mllms import Usage

PRICE = find_price("gpt-4o")


def reserve(
    ledger: Ledger, worst: Usage, caps: Caps | None = None, model: str = "gpt-4o"
) -> Reservation | Refusal:
    return ledger.reserve(model, "0" * 64, worst, price=PRICE, caps=caps or Caps()).result()


def granted(ledger: Ledger, worst: Usage) -> Reservation:
    found = reserve(ledger, worst)
    assert isinstance(found, Reservation)
    return found
