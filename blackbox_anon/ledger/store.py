"""Opening SQLite files that several processes share and that must survive a kill."""

import os
import sqlite3
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from blackbox_anon.errors import StoreError

BUSY_S = 60.0
"""How long a transaction waits for those of other processes."""

_SMALLEST = 512  # bytes: SQLite's smallest page


@dataclass(frozen=True, kw_only=True)
class Schema:
    """What tells one kind of file from another.

    Attributes:
        kind: Its name in messages.
        application: SQLite's application id, stands in the file.
        version: Version of the tables; files of other versions are refused.
        script: SQL that makes the tables.
    """

    kind: str
    application: int
    version: int
    script: str


def open_store(path: Path, schema: Schema, *, create: bool = True) -> sqlite3.Connection:
    """Open or make a file in WAL mode with ``synchronous=FULL``: what is committed is on the disk.

    WAL needs shared memory: all processes must run on one machine, the file on a local disk.

    Args:
        path: The file; its folder is made where it does not exist.
        schema: What the file must be.
        create: Whether to make the file where there is none.

    Returns:
        A connection in autocommit mode, usable from any one thread at a time.

    Raises:
        StoreError: If the file is missing and not to be made, damaged, of another version, or
            something else; it is left as it is.
    """
    if create:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))  # answers are nobody else's
    elif not path.is_file():
        raise StoreError(f"`path` must be a {schema.kind}; found no file at {str(path)!r}")
    if 0 < path.stat().st_size < _SMALLEST:  # SQLite would take it for an empty file
        raise damaged(path, schema, "it is too short for a database")
    connection = sqlite3.connect(
        path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
    )
    try:
        _prepare(connection, path, schema, create=create)
    except BaseException as error:
        connection.close()
        if isinstance(error, sqlite3.Error):
            raise damaged(path, schema, error) from error
        raise
    return connection


def damaged(path: Path, schema: Schema, error: Exception | str) -> StoreError:
    """Return the error that tells a user that SQLite cannot use a file."""
    return StoreError(f"`path` must be a {schema.kind}; {str(path)!r} cannot be used: {error}")


def _prepare(connection: sqlite3.Connection, path: Path, schema: Schema, *, create: bool) -> None:
    found = _identify(connection)
    if create and found == (0, 0, 0):
        _use_wal(connection)
        connection.execute("BEGIN IMMEDIATE")
        if _identify(connection) == (0, 0, 0):  # else another process was faster
            for statement in _statements(schema.script):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {schema.application}")
            connection.execute(f"PRAGMA user_version = {schema.version}")
        connection.execute("COMMIT")
        found = _identify(connection)
    if found[0] != schema.application:
        msg = f"`path` must be a {schema.kind}; {str(path)!r} is another SQLite file, left as it is"
        raise StoreError(msg)
    if found[1] != schema.version:
        raise StoreError(
            f"`path` must be a {schema.kind} of version {schema.version}; {str(path)!r} is of "
            f"version {found[1]}; name another file, or use the release that wrote it"
        )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _identify(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Application, version, and number of tables; raises if the file is no database."""
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    return application, version, tables


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL; SQLite does not wait by itself where two processes do so at once."""
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            [mode] = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            break
    if mode != "wal":
        msg = f"SQLite's write-ahead log does not work here (journal mode {mode})"
        raise sqlite3.OperationalError(msg)


def _statements(script: str) -> list[str]:
    """Split a script; ``executescript`` would commit the transaction."""
    found, current = [], ""
    for line in script.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            found.append(current)
            current = ""
    return found
