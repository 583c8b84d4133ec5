"""The journal's file: an SQLite database in WAL mode, its tables, and its transactions."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from likeness.errors import JournalError
from likeness.messages.notice import Notice, reason_of

__all__ = ["SCHEMA", "JournalFile", "damaged"]

SCHEMA = 1
"""Number of the tables' structure, kept in the file; a file with another one is refused."""

_TABLES = """
CREATE TABLE item (
    id INTEGER PRIMARY KEY,
    grp TEXT NOT NULL,
    target TEXT NOT NULL,
    source TEXT NOT NULL,
    content TEXT NOT NULL,
    model TEXT NOT NULL,
    options TEXT NOT NULL,
    key TEXT NOT NULL,
    client TEXT NOT NULL,
    email TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    outcome TEXT NOT NULL DEFAULT '{}',
    again INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    suspect INTEGER NOT NULL DEFAULT 0,
    deaths INTEGER NOT NULL DEFAULT 0,
    owner TEXT,
    deadline REAL,
    created REAL NOT NULL,
    changed REAL NOT NULL,
    UNIQUE (grp, target)
);
CREATE INDEX item_state ON item (state, grp, id);
CREATE INDEX item_owner ON item (owner) WHERE owner IS NOT NULL;
CREATE TABLE thumbnail (
    item INTEGER PRIMARY KEY REFERENCES item (id) ON DELETE CASCADE,
    before BLOB NOT NULL,
    after BLOB
);
CREATE TABLE content (source TEXT PRIMARY KEY, stamp TEXT NOT NULL, digest TEXT NOT NULL);
"""

_WAIT = 60.0
"""Seconds to wait for another process that writes."""

_LATER = ("suspect", "deaths")
"""Columns that files of earlier versions lack. They are added there; as those versions read by name and leave them alone,
the structure's number stays."""

_INDEXES = (
    # What has not ended, oldest first.
    "CREATE INDEX IF NOT EXISTS item_open ON item (id) WHERE state IN ('queued', 'running')",
    "CREATE INDEX IF NOT EXISTS item_suspect ON item (id) WHERE suspect > 0",
)
"""Made in files of earlier versions as well, which can still use them."""

_FAULTS = (
    ("database or disk is full", "journal.disk-full"),
    ("is locked", "journal.locked"),
    ("readonly database", "journal.forbidden"),
    ("unable to open database", "journal.no-opening"),
    ("disk i/o error", "journal.disk-failed"),
)
"""Words in SQLite's messages, and the codes of what they mean. By words, as Python 3.10 knows no error codes."""


def damaged(path: Path, why: str) -> JournalError:
    """That a journal's content is not what was written into it."""
    return JournalError(Notice("journal.damaged", {"path": str(path), "why": why}))


class JournalFile:
    """One connection for all threads of a process, which take turns.

    Args:
        path: the file; made if need be, its folder too.

    Raises:
        JournalError: if it cannot be opened, or is no journal.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.lock = threading.RLock()
        """Held while the connection is used; to be held over several uses that belong together."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=_WAIT, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise JournalError(Notice("journal.unopened", {"path": str(path), "why": reason_of(error)})) from error
        try:
            self._prepare()
        except sqlite3.DatabaseError as error:
            self._database.close()
            raise self._spoken(error) from error
        except JournalError:
            self._database.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self._database.close()

    def _prepare(self) -> None:
        database = self._database
        database.row_factory = sqlite3.Row
        self._write_ahead()
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA foreign_keys = ON")
        with self.transaction():
            found = int(database.execute("PRAGMA user_version").fetchone()[0])
            if found == 0 and not database.execute("SELECT name FROM sqlite_master LIMIT 1").fetchone():
                for statement in filter(str.strip, _TABLES.split(";")):
                    database.execute(statement)
                database.execute(f"PRAGMA user_version = {SCHEMA}")
            elif found != SCHEMA:
                raise JournalError(Notice("journal.other-version", {"path": str(self._path)}))
            there = {row["name"] for row in database.execute("PRAGMA table_info(item)")}
            for column in _LATER:
                if column not in there:
                    database.execute(f"ALTER TABLE item ADD COLUMN {column} INTEGER NOT NULL DEFAULT 0")
            for index in _INDEXES:
                database.execute(index)

    def _write_ahead(self) -> None:
        """Switch to WAL mode. SQLite does not wait for others that do the same with a new file, so this does."""
        until = time.monotonic() + _WAIT
        while True:
            try:
                self._database.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if "is locked" not in str(error) or time.monotonic() > until:
                    raise
            time.sleep(0.02)

    def _spoken(self, error: sqlite3.DatabaseError) -> JournalError:
        """What went wrong, in a sentence: a fault that may pass is told apart from damage."""
        text = str(error).lower()
        for word, code in _FAULTS:
            if word in text:
                return JournalError(Notice("journal.unusable", {"path": str(self._path), "meaning": Notice(code)}))
        if "not a database" in text:
            return JournalError(Notice("journal.none", {"path": str(self._path)}))
        return damaged(self._path, str(error))

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """All or nothing; the write lock is taken at once, so that no other process changes what was just read. Within
        another one it is a part of that.

        Raises:
            JournalError: if the file or its disk fails; nothing was changed then.
        """
        with self.lock:
            if self._database.in_transaction:
                yield self._database
                return
            try:
                self._database.execute("BEGIN IMMEDIATE")
                yield self._database
                self._database.execute("COMMIT")
            except BaseException as error:
                # SQLite ends the transaction by itself after some faults; after a COMMIT that failed it does not.
                with suppress(sqlite3.Error):
                    if self._database.in_transaction:
                        self._database.execute("ROLLBACK")
                if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.ProgrammingError):
                    raise self._spoken(error) from error
                raise

    def rows(self, query: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        """What a query finds.

        Raises:
            JournalError: if the file or its disk fails.
        """
        with self.lock:
            try:
                return self._database.execute(query, tuple(values)).fetchall()
            except sqlite3.ProgrammingError:  # used after it was closed: not the file's fault
                raise
            except sqlite3.DatabaseError as error:
                raise self._spoken(error) from error
