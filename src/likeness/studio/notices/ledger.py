"""The ledger: which mail went to whom about which picture, so that nobody is told the same thing twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Literal, TypeAlias

from likeness.core.locking import locked
from likeness.errors import RecordError
from likeness.messages.notice import Notice, reason_of
from likeness.studio.notices.letters import Letter, Trouble
from likeness.studio.records import RecordKind, open_records, timestamp, transaction

__all__ = ["Entry", "Ledger", "MailState", "open_ledger"]

MailState: TypeAlias = Literal["sending", "sent", "refused", "deferred"]
"""sending: handed to the server, and no answer is known: in doubt, if the run that did so has ended; sent: the server took
it; refused: it said no for good; deferred: it said later, and will be asked again by the next run."""

_LEDGER = RecordKind(
    what="record.ledger",
    number=0x4C4B4E4F,
    schema="""
        CREATE TABLE mails (
            mail INTEGER PRIMARY KEY, message_id TEXT NOT NULL UNIQUE, email TEXT NOT NULL, client TEXT NOT NULL,
            subject TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('sending', 'sent', 'refused', 'deferred')),
            detail TEXT NOT NULL, created TEXT NOT NULL, changed TEXT NOT NULL
        );
        CREATE TABLE told (
            mail INTEGER NOT NULL REFERENCES mails, email TEXT NOT NULL, trouble TEXT NOT NULL, picture TEXT NOT NULL,
            PRIMARY KEY (mail, trouble, picture)
        );
        CREATE INDEX told_whom ON told (email, trouble)
    """,
)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A mail in the ledger.

    Attributes:
        email, subject, message_id: of the mail.
        state: see `MailState`.
        detail: what the server said, where it did not take it.
        changed: when, ISO 8601 in UTC.
    """

    email: str
    subject: str
    message_id: str
    state: MailState
    detail: str
    changed: str


class Ledger:
    """An open ledger; made by `open_ledger`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def last(self, email: str, trouble: Trouble) -> Entry | None:
        """The last mail to this address about this fault of this file, None if there was none."""
        row = self._connection.execute(
            "SELECT mails.* FROM mails JOIN told USING (mail) WHERE told.email = ? AND trouble = ? "
            "ORDER BY mail DESC LIMIT 1",
            (email.casefold(), trouble.key),
        ).fetchone()
        return None if row is None else _entry(row)

    def begin(self, letter: Letter, message: EmailMessage) -> str:
        """Write down that a mail is about to be handed over; returns its Message-ID."""
        message_id, now = str(message["Message-ID"]), timestamp()
        with transaction(self._connection):
            values = (message_id, letter.email.casefold(), letter.client, str(message["Subject"]), now, now)
            mail = self._connection.execute(
                "INSERT INTO mails (message_id, email, client, subject, state, detail, created, changed) "
                "VALUES (?, ?, ?, ?, 'sending', '', ?, ?)",
                values,
            ).lastrowid
            self._connection.executemany(
                "INSERT INTO told VALUES (?, ?, ?, ?)",
                # A file's name need not be Unicode; what the table holds must be.
                [
                    (
                        mail,
                        letter.email.casefold(),
                        trouble.key,
                        trouble.picture.encode(errors="backslashreplace").decode(),
                    )
                    for trouble in letter.troubles
                ],
            )
        return message_id

    def end(self, message_id: str, state: MailState, detail: str = "") -> None:
        """Write down what became of a mail."""
        self._connection.execute(
            "UPDATE mails SET state = ?, detail = ?, changed = ? WHERE message_id = ?",
            (state, detail, timestamp(), message_id),
        )

    def entries(self) -> tuple[Entry, ...]:
        """All mails, the oldest first."""
        return tuple(_entry(row) for row in self._connection.execute("SELECT * FROM mails ORDER BY mail"))


@contextmanager
def open_ledger(path: Path) -> Generator[Ledger]:
    """Open a ledger, made if need be; a second process waits until this one has closed it.

    Raises:
        RecordError: as `open_records`.
    """
    with ExitStack() as opened:
        try:
            opened.enter_context(locked(path.with_name(f".{path.name}.lock")))
        except OSError as error:
            raise RecordError(Notice("mail.ledger", {"path": str(path), "why": reason_of(error)})) from error
        yield Ledger(opened.enter_context(open_records(path, _LEDGER, create=True)))


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(**{name: row[name] for name in Entry.__dataclass_fields__})
