"""The ledger of paid calls: an intent before, a settlement after, both on the disk."""

import sqlite3
from concurrent.futures import Future
from pathlib import Path

from blackbox_anon.ledger import operations
from blackbox_anon.ledger.alive import Presence, presence
from blackbox_anon.ledger.caps import Caps, Refusal
from blackbox_anon.ledger.group_commit import GroupCommit
from blackbox_anon.ledger.money import Price
from blackbox_anon.ledger.operations import Intent, Reservation, Settlement
from blackbox_anon.ledger.store import damaged, open_store
from blackbox_anon.ledger.summary import Summary, summarise
from blackbox_anon.ledger.tables import LEDGER
from blackbox_anon.mllms.answers import Usage


class Ledger:
    """One process's access to a ledger file that processes share and that outlives them.

    Nothing is sent before what it may cost is on the disk; so after a kill at any moment the
    ledger says at least what was spent. All caps are checked in the transaction that reserves.

    Args:
        path: The file, on a local disk; made where it does not exist.
        run: Name under which attempts are recorded.

    Raises:
        StoreError: If the file is damaged, of another version, or something else.
    """

    def __init__(self, path: str | Path, *, run: str) -> None:
        self.path = Path(path)
        self._store = GroupCommit(
            lambda: open_store(self.path, LEDGER),
            lambda error: damaged(self.path, LEDGER, error),
        )
        self._presence: Presence = presence(self.path)
        self._process = self._store.submit(lambda opened: self._enrol(opened, run)).result()

    def reserve(
        self, model: str, request: str, worst: Usage, *, price: Price | None, caps: Caps
    ) -> "Future[Reservation | Refusal]":
        """Set aside what a call may cost; on the disk when the future is done.

        Args:
            model: Whom it asks.
            request: SHA-256 of what it asks.
            worst: The most it can be billed.
            price: What tokens cost; ``None`` records tokens only.
            caps: What must not be exceeded, together with all that was spent or set aside.
        """
        intent = Intent(
            process=self._process, model=model, request=request, worst=worst, price=price
        )
        return self._store.submit(
            lambda opened: operations.reserve(opened, intent, caps, self._presence.is_alive)
        )

    def settle(self, reserved: Reservation, settlement: Settlement) -> "Future[None]":
        """Replace what was set aside by what was billed."""
        return self._store.submit(lambda opened: operations.settle(opened, reserved, settlement))

    def summary(self) -> Summary:
        """Return the sums of all processes and runs."""
        return self._store.submit(summarise, writes=False).result()

    def close(self) -> None:
        """Close the file after what is under way."""
        self._store.close()

    def _enrol(self, connection: sqlite3.Connection, run: str) -> int:
        process = operations.enrol(connection, run)
        self._presence.announce(process)  # before others can see the number
        operations.settle_lost(connection, self._presence.is_alive)
        return process
