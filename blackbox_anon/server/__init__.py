"""A local model as an OpenAI-compatible service on this machine: to rehearse with, and for tests.

What a paid service does to a client, this one does on request: rate limits, errors, broken
connections and refusals, in an order that a seed decides, and it writes down what it received and
what it would have billed.

Example:
    >>> import json, urllib.request
    >>> from blackbox_anon.mllms import HuggingFaceMLLM
    >>> with serve(HuggingFaceMLLM("peopleworld"), ServiceOptions(model="tiny")) as running:
    ...     with urllib.request.urlopen(f"{running.base_url}/models") as reply:
    ...         print(json.load(reply)["data"][0]["id"], running.stats()["received"])
    tiny 0
"""

from blackbox_anon.server.choices import Choices, Structured
from blackbox_anon.server.command import main
from blackbox_anon.server.journal import Entry, Journal
from blackbox_anon.server.options import ServiceOptions
from blackbox_anon.server.rate_limit import TokenBucket
from blackbox_anon.server.running import Running, serve
from blackbox_anon.server.schedule import (
    FAULT_KINDS,
    UNPAID,
    FaultKind,
    FaultSchedule,
    even_shares,
)
from blackbox_anon.server.tally import RateStats, Stats

__all__ = [
    "FAULT_KINDS",
    "UNPAID",
    "Choices",
    "Entry",
    "FaultKind",
    "FaultSchedule",
    "Journal",
    "RateStats",
    "Running",
    "ServiceOptions",
    "Stats",
    "Structured",
    "TokenBucket",
    "even_shares",
    "main",
    "serve",
]
