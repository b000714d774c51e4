"""The file behind the cache: answers as JSON, and claims of processes that are asking."""

import json
import sqlite3
import time
from concurrent.futures import Future
from pathlib import Path

from blackbox_anon.errors import StoreError
from blackbox_anon.ledger.alive import presence
from blackbox_anon.ledger.group_commit import GroupCommit
from blackbox_anon.ledger.store import Schema, damaged, open_store
from blackbox_anon.mllms.answers import Response, Usage

CACHE = Schema(
    kind="cache of answers",
    application=0x62626361,  # "bbca"
    version=1,
    script="""
CREATE TABLE answers (
    id INTEGER PRIMARY KEY,  -- nothing is deleted: the largest is the number of answers
    key TEXT NOT NULL UNIQUE,  -- SHA-256 of identity and payload
    answer TEXT NOT NULL,  -- JSON: text, top_logprobs, usage
    created REAL NOT NULL  -- seconds since 1970
);
CREATE TABLE processes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used again: liveness is known by it
    started REAL NOT NULL
);
CREATE TABLE claims (
    key TEXT PRIMARY KEY,
    process INTEGER NOT NULL REFERENCES processes (id)
) WITHOUT ROWID;
""",
)


class AnswerStore:
    """One process's access to a cache file.

    Every method returns at once; its future is done when what it did is on the disk.

    Args:
        path: The file, on a local disk; made where it does not exist.

    Raises:
        StoreError: If the file is damaged, of another version, or something else.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._store = GroupCommit(
            lambda: open_store(self.path, CACHE), lambda error: damaged(self.path, CACHE, error)
        )
        self._presence = presence(self.path)
        self._process = self._store.submit(self._enrol).result()

    def get(self, key: str) -> "Future[Response | None]":
        """Look an answer up; ``None`` where there is none."""
        return self._store.submit(lambda opened: self._get(opened, key), writes=False)

    def claim(self, key: str) -> "Future[Response | bool]":
        """Look again, then say that this process asks.

        Returns:
            The answer, if it came meanwhile; else whether the claim was granted: it is not while
            another living process has it.
        """
        return self._store.submit(lambda opened: self._claim(opened, key))

    def put(self, key: str, answer: Response) -> "Future[None]":
        """Keep an answer and end the claim; the first answer to a key stays."""
        row = (key, to_json(answer), time.time())
        insert = "INSERT OR IGNORE INTO answers (key, answer, created) VALUES (?, ?, ?)"

        def operation(connection: sqlite3.Connection) -> None:
            connection.execute(insert, row)
            connection.execute("DELETE FROM claims WHERE key = ?", (key,))

        return self._store.submit(operation)

    def give_up(self, key: str) -> "Future[None]":
        """End this process's claim without an answer."""

        def operation(connection: sqlite3.Connection) -> None:
            mine = (key, self._process)
            connection.execute("DELETE FROM claims WHERE key = ? AND process = ?", mine)

        return self._store.submit(operation)

    def size(self) -> int:
        """Return the number of answers."""
        return self._store.submit(_count, writes=False).result()

    def close(self) -> None:
        """Close the file after what is under way."""
        self._store.close()

    def _enrol(self, connection: sqlite3.Connection) -> int:
        row = (time.time(),)
        cursor = connection.execute("INSERT INTO processes (started) VALUES (?)", row)
        assert cursor.lastrowid is not None
        self._presence.announce(cursor.lastrowid)  # before others can see the number
        return cursor.lastrowid

    def _get(self, connection: sqlite3.Connection, key: str) -> Response | None:
        row = connection.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        try:
            return from_json(row[0])
        except (ValueError, KeyError, TypeError) as error:
            msg = f"`path` must be a {CACHE.kind}; {str(self.path)!r} holds no answer at {key}"
            raise StoreError(msg) from error

    def _claim(self, connection: sqlite3.Connection, key: str) -> Response | bool:
        if (found := self._get(connection, key)) is not None:
            return found
        row = connection.execute("SELECT process FROM claims WHERE key = ?", (key,)).fetchone()
        if row is not None and row[0] != self._process and self._presence.is_alive(row[0]):
            return False
        mine = (key, self._process)
        connection.execute("INSERT OR REPLACE INTO claims VALUES (?, ?)", mine)
        return True


def to_json(answer: Response) -> str:
    """Write a response; floats come back bit for bit."""
    usage = answer.usage
    return json.dumps(
        {
            "text": answer.text,
            "top_logprobs": None if answer.top_logprobs is None else dict(answer.top_logprobs),
            "usage": None if usage is None else [usage.input_tokens, usage.output_tokens],
        }
    )


def from_json(text: str) -> Response:
    """Read a response back.

    Raises:
        ValueError: If ``text`` is no JSON, or no response.
        KeyError: If something is missing.

    Example:
        >>> from_json(to_json(Response(text="run", top_logprobs={"run": -0.1})))
        Response(text='run', top_logprobs={'run': -0.1}, usage=None)
    """
    found = json.loads(text)
    usage = found["usage"]
    if not isinstance(found["text"], str):
        raise ValueError("`text` must be a string")
    return Response(
        text=found["text"],
        top_logprobs=found["top_logprobs"],
        usage=None if usage is None else Usage(input_tokens=usage[0], output_tokens=usage[1]),
    )


def _count(connection: sqlite3.Connection) -> int:
    found: int = connection.execute("SELECT coalesce(max(id), 0) FROM answers").fetchone()[0]
    return found
