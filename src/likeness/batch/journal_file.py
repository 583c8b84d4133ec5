"""The journal's file: an SQLite database in WAL mode, its tables, and its transactions."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from likeness.errors import BatchError

__all__ = ["SCHEMA", "JournalFile"]

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

_OPEN = "CREATE INDEX IF NOT EXISTS item_open ON item (id) WHERE state IN ('queued', 'running')"
"""What has not ended, oldest first. Made in files of earlier versions as well, which can still use them: as it changes no
table, the structure's number stays."""


class JournalFile:
    """One connection for all threads of a process, which take turns.

    Args:
        path: the file; made if need be, its folder too.

    Raises:
        BatchError: if it cannot be opened, or is no journal.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.lock = threading.RLock()
        """Held while the connection is used; to be held over several uses that belong together."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=60.0, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise BatchError(
                f"the journal {path} cannot be opened ({error}); choose a folder that can be written"
            ) from error
        try:
            self._prepare()
        except sqlite3.DatabaseError as error:
            self._database.close()
            raise BatchError(f"{path} is no journal, or damaged ({error}); move it away and run again") from error
        except BatchError:
            self._database.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self._database.close()

    def _prepare(self) -> None:
        database = self._database
        database.row_factory = sqlite3.Row
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA foreign_keys = ON")
        with self.transaction():
            found = int(database.execute("PRAGMA user_version").fetchone()[0])
            if found == 0 and not database.execute("SELECT name FROM sqlite_master LIMIT 1").fetchone():
                for statement in filter(str.strip, _TABLES.split(";")):
                    database.execute(statement)
                database.execute(f"PRAGMA user_version = {SCHEMA}")
            elif found != SCHEMA:
                raise BatchError(
                    f"{self._path} is no journal of this version of Likeness; name another one, or move it away"
                )
            database.execute(_OPEN)

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """All or nothing; the write lock is taken at once, so that no other process changes what was just read."""
        with self.lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def rows(self, query: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        """What a query finds."""
        with self.lock:
            return self._database.execute(query, tuple(values)).fetchall()
