"""SQLite files of a studio's records: opened, checked to be of the right kind, every change on the disk before it counts."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from likeness.errors import RecordError
from likeness.messages.notice import Notice, notice_of

__all__ = ["RecordKind", "open_records", "timestamp", "transaction"]

_WAIT = 30.0
"""Seconds to wait for another process that is writing."""


@dataclass(frozen=True, kw_only=True)
class RecordKind:
    """A kind of file.

    Attributes:
        what: the code of its name in messages.
        number: SQLite's application_id, by which a file of another kind is told apart; not 0.
        schema: SQL that makes the tables.
        version: of the tables; a file of a newer one is refused.
    """

    what: str
    number: int
    schema: str
    version: int = 1


@contextmanager
def open_records(path: Path, kind: RecordKind, *, create: bool) -> Generator[sqlite3.Connection]:
    """A connection in autocommit mode; rows can be read by name.

    The rollback journal is SQLite's own and the disk is waited for, so that a process that is killed, or a machine that
    loses power, loses no change that was reported as done. No write-ahead log: studios keep such files on network
    drives, where it does not work.

    Args:
        path: the file.
        kind: what it has to be.
        create: make it if it does not exist.

    Raises:
        RecordError: if the file is missing, of another kind, damaged, or cannot be written. Also for errors of SQLite that
            are raised inside the context.
    """
    if not create and not path.is_file():
        raise RecordError(Notice("record.missing", {"path": str(path)}))
    try:
        connection = sqlite3.connect(path, timeout=_WAIT, isolation_level=None)
    except sqlite3.Error as error:
        raise RecordError(Notice("record.unopened", {"path": str(path), "why": notice_of(error)})) from error
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        _prepare(connection, path, kind)
        yield connection
    except sqlite3.OperationalError as error:
        raise RecordError(Notice("record.unusable", {"path": str(path), "why": notice_of(error)})) from error
    except sqlite3.DatabaseError as error:
        raise RecordError(
            Notice("record.damaged", {"path": str(path), "what": Notice(kind.what), "why": notice_of(error)})
        ) from error
    finally:
        connection.close()


def _prepare(connection: sqlite3.Connection, path: Path, kind: RecordKind) -> None:
    found, version = (int(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in _STAMPS)
    if found == kind.number:
        if version > kind.version:
            raise RecordError(Notice("record.newer", {"path": str(path), "version": version, "known": kind.version}))
        return
    if found or connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise RecordError(Notice("record.other-database", {"path": str(path), "what": Notice(kind.what)}))
    with transaction(connection):
        # Another process may have been quicker.
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            # Not executescript, which would end the transaction.
            statement = ""
            for piece in kind.schema.split(";"):
                statement += f"{piece};"
                if sqlite3.complete_statement(statement):  # the text of a trigger holds semicolons of its own
                    connection.execute(statement)
                    statement = ""
            connection.execute(f"PRAGMA application_id = {kind.number}")
            connection.execute(f"PRAGMA user_version = {kind.version}")


_STAMPS = ("application_id", "user_version")


def timestamp() -> str:
    """The moment as it is written down: ISO 8601 in UTC, to the millisecond."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None]:
    """All of the changes inside, or none; others wait meanwhile."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite ends the transaction by itself after some faults of the disk; after a COMMIT that failed it does not.
        if connection.in_transaction:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise
