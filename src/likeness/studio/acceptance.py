"""What clients say of delivered pictures, and how many are accepted at once: an append-only book with a rate over time."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from collections import defaultdict
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Literal, TypeAlias

from likeness.core.tables import CsvRow, read_csv, write_csv
from likeness.errors import ConfigError, RecordError
from likeness.imaging.names import from_column, to_column
from likeness.messages.notice import Notice, notice_of
from likeness.studio.intervals import Interval, wilson_interval
from likeness.studio.records import RecordKind, open_records, timestamp, transaction

__all__ = [
    "ANSWERS",
    "COLUMNS",
    "AcceptanceBook",
    "Answer",
    "Entry",
    "Outcome",
    "Period",
    "PictureState",
    "open_book",
    "rates",
    "to_csv",
]

Answer: TypeAlias = Literal["accepted", "revise", "rejected", "withdrawn"]
"""What a client said of a delivery: takes it; wants it changed; does not want it. "withdrawn" stands in corrections only:
the entry that it corrects was a mistake altogether."""

ANSWERS: tuple[Answer, ...] = ("accepted", "revise", "rejected")
"""What can be recorded."""

Outcome: TypeAlias = Literal["first time", "revised", "rejected"]
"""first time: only ever accepted; revised: a change was asked for, or it was rejected and later accepted; rejected: the
last answer is no."""

COLUMNS = ("entry", "recorded", "day", "picture", "client", "answer", "note", "corrects")
"""Of the CSV files. An import needs picture and answer."""

_BOOK = RecordKind(
    what="record.acceptance-book",
    number=0x4C4B4143,
    schema="""
        CREATE TABLE entries (
            number INTEGER PRIMARY KEY AUTOINCREMENT, entry TEXT NOT NULL UNIQUE, recorded TEXT NOT NULL,
            day TEXT NOT NULL, picture TEXT NOT NULL, client TEXT NOT NULL,
            answer TEXT NOT NULL CHECK (answer IN ('accepted', 'revise', 'rejected', 'withdrawn')),
            note TEXT NOT NULL, corrects TEXT REFERENCES entries (entry)
        );
        CREATE TRIGGER entries_stay BEFORE UPDATE ON entries BEGIN SELECT raise(ABORT, 'entries are never changed'); END;
        CREATE TRIGGER entries_remain BEFORE DELETE ON entries BEGIN SELECT raise(ABORT, 'entries are never deleted'); END
    """,
)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A line of the book.

    Attributes:
        entry: its name, twelve letters and digits.
        recorded: when it was written, ISO 8601 in UTC.
        day: when the client said so.
        picture, client: which and whose; a picture is known by both.
        answer: see `Answer`.
        note: anything.
        corrects: the entry whose place this one takes, "" if none.
    """

    entry: str
    recorded: str
    day: date
    picture: str
    client: str
    answer: Answer
    note: str = ""
    corrects: str = ""


@dataclass(frozen=True, kw_only=True)
class PictureState:
    """Where a picture stands.

    Attributes:
        picture, client: which and whose.
        first, last: days of its first and last answers.
        answers: in order, corrections applied.
        outcome: see `Outcome`.
        open: whether a change was asked for and nothing was said since.
    """

    picture: str
    client: str
    first: date
    last: date
    answers: tuple[Answer, ...]
    outcome: Outcome
    open: bool


@dataclass(frozen=True, kw_only=True)
class Period:
    """The pictures whose first answer fell into a day, a week or a month, as they stand now.

    Attributes:
        start: its first day; weeks begin on Monday.
        first_time, revised, rejected: how many pictures.
        rate: accepted first time among all, with Wilson's 95% interval.
    """

    start: date
    first_time: int
    revised: int
    rejected: int
    rate: Interval


class AcceptanceBook:
    """An open book; made by `open_book`. Entries are added, never changed: SQLite itself refuses anything else."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(
        self, pictures: Sequence[str], answer: Answer, *, client: str = "", day: date | None = None, note: str = ""
    ) -> tuple[Entry, ...]:
        """Write down a client's answer to one or several pictures; all or none.

        Raises:
            ConfigError: for an empty name, a day to come, or an answer that cannot be recorded.
        """
        _check_answer(answer, ANSWERS)
        entries = [
            _checked(
                Entry(
                    entry=secrets.token_hex(6),
                    recorded=timestamp(),
                    day=day or _today(),
                    picture=picture,
                    client=client,
                    answer=answer,
                    note=note,
                )
            )
            for picture in pictures
        ]
        with transaction(self._connection):
            for entry in entries:
                self._insert(entry)
        return tuple(entries)

    def correct(self, entry: str, answer: Answer, *, day: date | None = None, note: str = "") -> Entry:
        """Put another answer in the place of an entry, or with "withdrawn" none. The old one stays in the history.

        Raises:
            ConfigError: for an answer that cannot be recorded.
            RecordError: if there is no such entry, or it has been corrected already (correct the correction).
        """
        _check_answer(answer, (*ANSWERS, "withdrawn"))
        with transaction(self._connection):
            history = {found.entry: found for found in self.history()}
            old = history.get(entry)
            if old is None:
                raise RecordError(Notice("acceptance.no-entry", {"entry": entry}))
            later = next((found for found in history.values() if found.corrects == entry), None)
            if later is not None:
                raise RecordError(Notice("acceptance.corrected", {"entry": entry, "later": later.entry}))
            new = _checked(
                Entry(
                    entry=secrets.token_hex(6),
                    recorded=timestamp(),
                    day=day or old.day,
                    picture=old.picture,
                    client=old.client,
                    answer=answer,
                    note=note,
                    corrects=entry,
                )
            )
            self._insert(new)
        return new

    def import_csv(self, data: bytes, *, name: str) -> tuple[int, int]:
        """Take in a table: an export of another book, or one with the columns picture and answer, and if wanted client, day
        (today's) and note.

        Rows that the book holds already are left out, so that a file can be taken in twice, on another day as well: exported
        ones are known by their entry, others by all that they say. (Two equal rows of one file are one row, too.)

        Returns:
            how many rows were added, and how many were there already.

        Raises:
            ConfigError: for a row that cannot be used; then nothing is added.
        """
        titles, rows = read_csv(data, name=name)
        for needed in ("picture", "answer"):
            if needed not in titles:
                raise ConfigError(Notice("acceptance.no-column", {"name": name, "needed": needed}))
        entries = [_from_row(row, name) for row in rows]
        added = 0
        with transaction(self._connection):
            known = {found.entry for found in self.history()}
            for row, entry in zip(rows, entries, strict=True):
                if entry.entry in known:
                    continue
                if entry.corrects and entry.corrects not in known:
                    raise ConfigError(
                        Notice(
                            "acceptance.corrects-nothing", {"name": name, "line": row.line, "corrects": entry.corrects}
                        )
                    )
                self._insert(entry)
                known.add(entry.entry)
                added += 1
        return added, len(entries) - added

    def history(self) -> tuple[Entry, ...]:
        """Every entry, in the order in which they were written."""
        rows = self._connection.execute("SELECT * FROM entries ORDER BY number").fetchall()
        return tuple(_entry(row) for row in rows)

    def pictures(self) -> tuple[PictureState, ...]:
        """Every picture with an answer that stands, by the day of its first."""
        history = self.history()
        corrected = {entry.corrects for entry in history if entry.corrects}
        # A correction stands where the first of its chain stood: it is the same answer, put right.
        place = {entry.entry: number for number, entry in enumerate(history)}
        for entry in history:
            if entry.corrects:
                place[entry.entry] = place[entry.corrects]
        standing = [entry for entry in history if entry.entry not in corrected and entry.answer != "withdrawn"]
        standing.sort(key=lambda entry: (entry.day, place[entry.entry]))
        groups: dict[tuple[str, str], list[Entry]] = defaultdict(list)
        for entry in standing:
            groups[entry.client, entry.picture].append(entry)
        return tuple(_state(entries) for entries in groups.values())

    def _insert(self, entry: Entry) -> None:
        self._connection.execute(
            "INSERT INTO entries (entry, recorded, day, picture, client, answer, note, corrects) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                entry.entry,
                entry.recorded,
                entry.day.isoformat(),
                to_column(entry.picture),
                to_column(entry.client),
                entry.answer,
                to_column(entry.note),
                entry.corrects or None,
            ),
        )


@contextmanager
def open_book(path: Path, *, create: bool = False) -> Generator[AcceptanceBook]:
    """Open a book.

    Raises:
        RecordError: as `open_records`.
    """
    with open_records(path, _BOOK, create=create) as connection:
        yield AcceptanceBook(connection)


def rates(
    pictures: Iterable[PictureState], *, by: Literal["day", "week", "month", "all"] = "week"
) -> tuple[Period, ...]:
    """How many pictures were accepted first time, by the day, week or month of their first answer; "all" is one period.

    Periods without an answer are not there. A picture counts where it began, as it stands now: a late rejection changes
    the period in which it was delivered, not the one in which the client changed their mind.
    """
    groups: dict[date, list[PictureState]] = defaultdict(list)
    states = list(pictures)
    earliest = min((state.first for state in states), default=date.min)
    for state in states:
        start = {
            "day": state.first,
            "week": state.first - timedelta(days=state.first.weekday()),
            "month": state.first.replace(day=1),
            "all": earliest,
        }[by]
        groups[start].append(state)
    return tuple(_period(start, groups[start]) for start in sorted(groups))


def to_csv(entries: Iterable[Entry]) -> str:
    """Entries as a table that `AcceptanceBook.import_csv` reads."""
    return write_csv(COLUMNS, ([getattr(entry, column) for column in COLUMNS] for entry in entries), end="\n")


def _period(start: date, states: Sequence[PictureState]) -> Period:
    count = {
        outcome: sum(state.outcome == outcome for state in states) for outcome in ("first time", "revised", "rejected")
    }
    return Period(
        start=start,
        first_time=count["first time"],
        revised=count["revised"],
        rejected=count["rejected"],
        rate=wilson_interval(count["first time"], len(states)),
    )


def _state(entries: Sequence[Entry]) -> PictureState:
    answers: tuple[Answer, ...] = tuple(entry.answer for entry in entries)
    outcome: Outcome = "revised"
    if answers[-1] == "rejected":
        outcome = "rejected"
    elif set(answers) == {"accepted"}:
        outcome = "first time"
    return PictureState(
        picture=entries[0].picture,
        client=entries[0].client,
        first=entries[0].day,
        last=entries[-1].day,
        answers=answers,
        outcome=outcome,
        open=answers[-1] == "revise",
    )


def _check_answer(answer: str, known: Sequence[str]) -> None:
    """
    Raises:
        ConfigError: if it is none of them.
    """
    if answer not in known:
        raise ConfigError(Notice("acceptance.answer", {"known": ", ".join(known), "answer": repr(answer)}))


def _from_row(row: CsvRow, name: str) -> Entry:
    cells = {column: row.cells.get(column, "") for column in COLUMNS}
    where = Notice("table.line", {"name": name, "line": row.line})
    answer = cells["answer"].lower()
    known: dict[str, Answer] = {known: known for known in ANSWERS}
    if cells["corrects"]:
        known["withdrawn"] = "withdrawn"
    if answer not in known:
        raise ConfigError(
            Notice("acceptance.answer-unknown", {"where": where, "answer": cells["answer"], "known": ", ".join(known)})
        )
    try:
        day = date.fromisoformat(cells["day"]) if cells["day"] else _today()
        recorded = (
            datetime.fromisoformat(cells["recorded"]).isoformat(timespec="milliseconds")
            if cells["recorded"]
            else timestamp()
        )
    except ValueError as error:
        raise ConfigError(
            Notice("acceptance.day", {"where": where, "value": cells["day"] or cells["recorded"]})
        ) from error
    # A day that the row does not say is no part of it: tomorrow it would be another row.
    said_day = day.isoformat() if cells["day"] else ""
    said = "\0".join([said_day, cells["picture"], cells["client"], answer, cells["note"], cells["corrects"]])
    try:
        return _checked(
            Entry(
                entry=cells["entry"] or hashlib.sha256(said.encode()).hexdigest()[:12],
                recorded=recorded,
                day=day,
                picture=cells["picture"],
                client=cells["client"],
                answer=known[answer],
                note=cells["note"],
                corrects=cells["corrects"],
            )
        )
    except ConfigError as error:
        raise ConfigError(Notice("acceptance.refused", {"where": where, "why": notice_of(error)})) from error


def _checked(entry: Entry) -> Entry:
    if not entry.picture.strip():
        raise ConfigError(Notice("acceptance.no-picture"))
    if entry.day > _today() + timedelta(days=1):  # a day of grace: the date line
        raise ConfigError(Notice("acceptance.future", {"day": str(entry.day)}))
    if not entry.entry.isalnum():
        raise ConfigError(Notice("acceptance.entry-name", {"entry": entry.entry}))
    return entry


def _entry(row: sqlite3.Row) -> Entry:
    try:
        return Entry(
            entry=row["entry"],
            recorded=row["recorded"],
            day=date.fromisoformat(row["day"]),
            picture=from_column(row["picture"]),
            client=from_column(row["client"]),
            answer=row["answer"],
            note=from_column(row["note"]),
            corrects=row["corrects"] or "",
        )
    except (TypeError, ValueError) as error:
        raise RecordError(Notice("acceptance.damaged", {"number": row["number"], "why": notice_of(error)})) from error


def _today() -> date:
    return datetime.now().astimezone().date()
