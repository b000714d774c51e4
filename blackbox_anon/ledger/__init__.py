"""The ledger of paid calls: what was asked, what it cost, and caps that hold.

A ledger is one SQLite file. All processes that name it share its caps, and so do restarts. Before
a call its worst case is reserved on the disk; after it the reservation is replaced by the bill. So
the sum never falls short of the truth, whenever a process is killed.
:class:`~blackbox_anon.mllms.BudgetedMLLM` writes it; ``blackbox-anon ledger PATH`` shows it.

Example:
    >>> import tempfile
    >>> from pathlib import Path
    >>> from blackbox_anon.ledger import Caps, Ledger, Settlement, find_price
    >>> from blackbox_anon.mllms import Usage
    >>> ledger = Ledger(Path(tempfile.mkdtemp()) / "ledger.sqlite", run="example")
    >>> price, caps = find_price("gpt-4o-mini"), Caps(nano=1_000_000)  # 0.001 USD
    >>> worst = Usage(input_tokens=2000, output_tokens=500)
    >>> first = ledger.reserve("gpt-4o-mini", "a" * 64, worst, price=price, caps=caps).result()
    >>> second = ledger.reserve("gpt-4o-mini", "b" * 64, worst, price=price, caps=caps).result()
    >>> print(second)
    the cap of money is reached: 0.001 USD is the cap, 0.00 USD spent, 0.0006 USD reserved by \
calls in flight, the next call may take 0.0006 USD
    >>> bill = Usage(input_tokens=1000, output_tokens=100)
    >>> ledger.settle(first, Settlement(state="paid", outcome="response", usage=bill)).result()
    >>> ledger.summary().figures(caps, priced=True)["spent_usd"]
    0.00021
    >>> ledger.close()
"""

from blackbox_anon import mllms  # noqa: F401  # first: it imports parts of this package
from blackbox_anon.ledger.caps import Amounts, Caps, Refusal
from blackbox_anon.ledger.ledger import Ledger
from blackbox_anon.ledger.money import Price, format_usd, nano_from_usd, usd
from blackbox_anon.ledger.operations import Intent, Reservation, Settlement
from blackbox_anon.ledger.prices import Prices, find_price
from blackbox_anon.ledger.reading import Measured, read_measured, read_runs, read_summary
from blackbox_anon.ledger.summary import Summary, Total

__all__ = [
    "Amounts",
    "Caps",
    "Intent",
    "Ledger",
    "Measured",
    "Price",
    "Prices",
    "Refusal",
    "Reservation",
    "Settlement",
    "Summary",
    "Total",
    "find_price",
    "format_usd",
    "nano_from_usd",
    "read_measured",
    "read_runs",
    "read_summary",
    "usd",
]
