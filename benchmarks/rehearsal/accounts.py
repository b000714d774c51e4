"""What the server's journal says happened against what the ledger and the task say."""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from blackbox_anon.server import FaultKind

Outcomes = dict[str, list[str]]
"""How the attempts at each request ended, in their order, by the request's digest."""

OUTCOME: Mapping[FaultKind | None, str] = {
    None: "response",
    "429": "rate_limit",
    "429-bare": "rate_limit",
    "500": "server_error",
    "error-200": "server_error",
    "reset": "server_error",
    "drip": "timeout",  # where it takes longer than the client waits
    "malformed": "malformed",
    "duplicate": "malformed",
    "empty": "malformed",
    "refusal": "refusal",
    "content-filter": "refusal",
    "wrong-model": "malformed",
}
"""What a client must make of each fault; nothing but a sound reply is a response."""


@dataclass(frozen=True, kw_only=True)
class Journal:
    """What a server wrote down.

    Attributes:
        sent: By the SHA-256 of the body, what must become of each attempt.
        faults: How many of each kind.
        tokens: Billed, prompts and answers.
    """

    sent: Outcomes
    faults: Counter[str]
    tokens: int


def read_journal(path: Path) -> Journal:
    """Read a server's journal; requests refused at the door must not be among them.

    Raises:
        ValueError: If one is.
    """
    sent: Outcomes = defaultdict(list)
    faults: Counter[str] = Counter()
    tokens = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry["attempt"] != len(sent[entry["sha256"]]):
            raise ValueError(f"{path}: expected the attempts at each body in order; found {entry}")
        sent[entry["sha256"]].append(OUTCOME[entry["fault"]])
        faults.update([entry["fault"]] if entry["fault"] else [])
        tokens += entry["prompt_tokens"] + entry["completion_tokens"]
    return Journal(sent=dict(sent), faults=faults, tokens=tokens)


@dataclass(frozen=True, kw_only=True)
class Book:
    """What a ledger says.

    Attributes:
        found: By the request's key, what became of each attempt.
        states: Attempts by state: paid, free, unknown, in_flight.
        tokens: Counted as spent, prompts and answers.
    """

    found: Outcomes
    states: Counter[str]
    tokens: int


def read_book(path: Path) -> Book:
    """Read every attempt in a ledger."""
    found: Outcomes = defaultdict(list)
    states: Counter[str] = Counter()
    tokens = 0
    with sqlite3.connect(path) as connection:
        rows = connection.execute(
            "SELECT request, outcome, state, input_tokens + output_tokens FROM attempts ORDER BY id"
        )
        for request, outcome, state, counted in rows:
            found[request].append(outcome)
            states[state] += 1
            tokens += counted
    connection.close()
    return Book(found=dict(found), states=states, tokens=tokens)


def outcomes(attempts: Outcomes) -> Counter[str]:
    """Count attempts by how they ended."""
    return Counter(outcome for each in attempts.values() for outcome in each)


@dataclass(frozen=True, kw_only=True)
class Reconciled:
    """Both accounts of the same attempts.

    Attributes:
        journal: The server's.
        book: The ledger's.
    """

    journal: Journal
    book: Book

    @property
    def late(self) -> int:
        """Attempts that the server answered and the client had given up, beside the drips."""
        return outcomes(self.book.found)["timeout"] - outcomes(self.journal.sent)["timeout"]

    def differences(self) -> list[str]:
        """Return what does not fit, in words; nothing where every attempt is in both accounts.

        A late attempt may have been meant as anything; without one, each request's attempts must
        have ended as they were meant to, one by one.
        """
        meant, found = outcomes(self.journal.sent), outcomes(self.book.found)
        wrong = []
        if meant.total() != found.total():
            wrong.append(f"{meant.total()} requests received, {found.total()} attempts in the book")
        wrong += [
            f"{found[outcome]} {outcome} in the book, {meant[outcome]} meant"
            for outcome in sorted(meant.keys() | found.keys())
            if outcome != "timeout" and found[outcome] > meant[outcome]
        ]
        if self.late < 0:
            wrong.append(f"{-self.late} drips were taken for something else")
        if self.late == 0 and _courses(self.journal.sent) != _courses(self.book.found):
            wrong.append("attempts at a request ended otherwise than they were meant to")
        if self.book.states["in_flight"]:
            wrong.append(f"{self.book.states['in_flight']} attempts were never settled")
        if self.book.tokens < self.journal.tokens:
            wrong.append(f"{self.book.tokens} tokens in the book, {self.journal.tokens} billed")
        return wrong


def reconcile(journal: Path, ledger: Path) -> Reconciled:
    """Read both accounts of a run."""
    return Reconciled(journal=read_journal(journal), book=read_book(ledger))


def _courses(attempts: Outcomes) -> Counter[tuple[str, ...]]:
    return Counter(tuple(each) for each in attempts.values())


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What a task counted, in training and in the validation at the end.

    Attributes:
        asked: Calls it made; a cache may have answered some.
        failed: Calls without an answer.
        steps: Steps it took.
        skipped: Steps it gave up.
        repeated: How often it asked a step again.
    """

    asked: int
    failed: int
    steps: int
    skipped: int
    repeated: int

    @property
    def scored(self) -> int:
        """Answers that became losses or scores."""
        return self.asked - self.failed


def read_counts(logs: Path, *, validated: int) -> Counted:
    """Read what the task of a finished run counted.

    Args:
        logs: Its folder of logs.
        validated: Clips that were asked about in its one validation.
    """
    [checkpoint] = (logs / "checkpoints").glob("*.ckpt")
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    events = EventAccumulator(str(logs))
    events.Reload()
    failed: Sequence[float] = [event.value for event in events.Scalars("val/failed")]
    return Counted(
        asked=int(state["queries"]) + validated,
        failed=int(state["failed"].sum()) + int(sum(failed)),
        steps=int(state["steps"]),
        skipped=int(state["skipped_steps"]),
        repeated=int(state["repeated_steps"]),
    )
