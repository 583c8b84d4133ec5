"""A review session on disk: who sees what, and every vote the moment it is given."""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_urlsafe

from likeness.errors import ConfigError, RecordError
from likeness.imaging.names import from_column
from likeness.messages.notice import Notice
from likeness.studio.records import RecordKind, open_records, timestamp, transaction
from likeness.studio.review.blinding import schedule

__all__ = [
    "DATABASE",
    "LETTERS",
    "MAX_SCORE",
    "ORIGINAL",
    "PICTURES",
    "SESSION",
    "Ballot",
    "Rater",
    "ReviewSession",
    "Trial",
    "Vote",
]

DATABASE = "session.sqlite"
PICTURES = "pictures"

ORIGINAL = -1
"""Stands for the picture before the work where a side's number is asked for."""

LETTERS = "ABCD"
"""What the positions on a rater's screen are called, from the left."""

MAX_SCORE = 5
"""Best of the five grades of absolute category rating (ITU-R BT.500-14, 1: bad to 5: excellent)."""

SESSION = RecordKind(
    what="record.session",
    number=0x4C4B5652,
    schema="""
        CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
        CREATE TABLE sides (side INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
        CREATE TABLE items (item INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
        CREATE TABLE files (
            item INTEGER NOT NULL REFERENCES items, side INTEGER NOT NULL, file TEXT NOT NULL, PRIMARY KEY (item, side)
        );
        CREATE TABLE raters (
            rater INTEGER PRIMARY KEY, token TEXT NOT NULL UNIQUE, name TEXT NOT NULL, folded TEXT NOT NULL UNIQUE,
            created TEXT NOT NULL
        );
        CREATE TABLE showings (
            rater INTEGER NOT NULL REFERENCES raters, place INTEGER NOT NULL, position INTEGER NOT NULL,
            item INTEGER NOT NULL REFERENCES items, side INTEGER NOT NULL REFERENCES sides,
            PRIMARY KEY (rater, place, position)
        );
        CREATE TABLE votes (
            vote INTEGER PRIMARY KEY AUTOINCREMENT, rater INTEGER NOT NULL, place INTEGER NOT NULL,
            position INTEGER NOT NULL, score INTEGER CHECK (score BETWEEN 1 AND 5), comment TEXT NOT NULL,
            created TEXT NOT NULL, FOREIGN KEY (rater, place, position) REFERENCES showings
        )
    """,
)

_FILE = re.compile(r"[0-9a-f]{24}\.webp", re.ASCII)

_LONGEST_NAME = 60
_LONGEST_COMMENT = 2000


@dataclass(frozen=True, kw_only=True)
class Rater:
    """A person who rates.

    Attributes:
        number: in the order of arrival, from 1 on.
        token: what the page calls the person by; nobody can guess it.
        name: as typed.
    """

    number: int
    token: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Vote:
    """What a rater says of one picture: 1 to 5, or None while not rated, and a comment."""

    score: int | None = None
    comment: str = ""

    def __post_init__(self) -> None:
        if self.score is not None and not 1 <= self.score <= MAX_SCORE:
            raise ConfigError(Notice("review.score", {"most": MAX_SCORE, "score": self.score}))
        if len(self.comment) > _LONGEST_COMMENT:
            raise ConfigError(Notice("review.comment", {"most": _LONGEST_COMMENT, "count": len(self.comment)}))


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a rater sees at once, by position, without a word on which side stands where."""

    votes: tuple[Vote, ...]


@dataclass(frozen=True, kw_only=True)
class Ballot:
    """A vote with the key: who rated which picture of which side, and where it stood.

    Attributes:
        rater: the person's name.
        item: the picture's name.
        side: the side's name.
        place: which of the rater's trials, from 0 on.
        position: from the left, from 0 on.
        score, comment: the last that were given; score None while not rated.
        created: when, ISO 8601 in UTC; "" without a vote.
    """

    rater: str
    item: str
    side: str
    place: int
    position: int
    score: int | None
    comment: str
    created: str


class ReviewSession:
    """A session's folder. Safe to use from several threads; each call opens the file for itself.

    Args:
        folder: as `make_session` made it.

    Raises:
        RecordError: if it holds no session.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not (folder / DATABASE).is_file():
            raise RecordError(Notice("review.no-session", {"folder": str(folder), "database": DATABASE}))
        with self._open() as connection:
            settings: dict[str, str] = dict(connection.execute("SELECT name, value FROM settings").fetchall())
            self.sides = tuple(str(row["name"]) for row in connection.execute("SELECT name FROM sides ORDER BY side"))
            self.items = tuple(
                from_column(row["name"]) for row in connection.execute("SELECT name FROM items ORDER BY item")
            )
            count = connection.execute("SELECT count(*) FROM files WHERE side = ?", (ORIGINAL,)).fetchone()[0]
        self.title, self.question, self._seed = settings["title"], settings["question"], settings["seed"]
        self.has_originals = count > 0

    def _open(self) -> AbstractContextManager[sqlite3.Connection]:
        return open_records(self.folder / DATABASE, SESSION, create=False)

    def enter(self, name: str) -> Rater:
        """The rater of this name, letters' case aside; a new one gets an order of pictures of their own.

        Raises:
            ConfigError: for a name that cannot be used.
        """
        name = " ".join(unicodedata.normalize("NFC", name).split())
        if not name or len(name) > _LONGEST_NAME or not name.isprintable():
            raise ConfigError(Notice("review.rater-name", {"most": _LONGEST_NAME}))
        with self._open() as connection, transaction(connection):
            row = connection.execute("SELECT * FROM raters WHERE folded = ?", (name.casefold(),)).fetchone()
            if row is None:
                number = connection.execute("SELECT count(*) FROM raters").fetchone()[0] + 1
                values = (number, token_urlsafe(16), name, name.casefold(), timestamp())
                connection.execute("INSERT INTO raters VALUES (?, ?, ?, ?, ?)", values)
                # Written down, not computed again later: the key must not hang on a generator of random numbers.
                shown = schedule(self._seed, rater=number, items=len(self.items), sides=len(self.sides))
                connection.executemany(
                    "INSERT INTO showings VALUES (?, ?, ?, ?, ?)",
                    (
                        (number, place, position, showing.item, side)
                        for place, showing in enumerate(shown)
                        for position, side in enumerate(showing.sides)
                    ),
                )
                row = connection.execute("SELECT * FROM raters WHERE rater = ?", (number,)).fetchone()
            return _rater(row)

    def rater(self, token: str) -> Rater | None:
        """The rater of a token, None if there is none."""
        with self._open() as connection:
            row = connection.execute("SELECT * FROM raters WHERE token = ?", (token,)).fetchone()
        return None if row is None else _rater(row)

    def trials(self, rater: Rater) -> tuple[Trial, ...]:
        """All trials of a rater in order, with the votes so far."""
        votes: dict[tuple[int, int], Vote] = {}
        with self._open() as connection:
            query = "SELECT * FROM votes WHERE rater = ? ORDER BY vote"
            for row in connection.execute(query, (rater.number,)):
                votes[row["place"], row["position"]] = Vote(score=row["score"], comment=row["comment"])
        return tuple(
            Trial(votes=tuple(votes.get((place, position), Vote()) for position in range(len(self.sides))))
            for place in range(len(self.items))
        )

    def vote(self, rater: Rater, *, place: int, position: int, vote: Vote) -> None:
        """Keep a vote; on return it is on the disk. Earlier ones stay in the file, the last one counts.

        Raises:
            LookupError: if there is no such place or position.
        """
        self._check(place, position)
        with self._open() as connection:
            values = (rater.number, place, position, vote.score, vote.comment, timestamp())
            connection.execute(
                "INSERT INTO votes (rater, place, position, score, comment, created) VALUES (?, ?, ?, ?, ?, ?)", values
            )

    def picture(self, rater: Rater, *, place: int, position: int) -> Path:
        """The file that a rater sees at a place and position; position `ORIGINAL` is the picture before the work.

        Raises:
            LookupError: if there is no such place or position, or no original.
        """
        self._check(place, 0 if position == ORIGINAL and self.has_originals else position)
        with self._open() as connection:
            row = connection.execute(
                "SELECT file FROM showings JOIN files USING (item) WHERE rater = :rater AND place = :place AND "
                "CASE WHEN :position < 0 THEN showings.position = 0 AND files.side = :position "
                "ELSE showings.position = :position AND files.side = showings.side END",
                {"rater": rater.number, "place": place, "position": position},
            ).fetchone()
        return self._file(row["file"])

    def file(self, item: int, side: int) -> Path:
        """The copy of a picture by the numbers of picture and side: for reports, never for raters."""
        with self._open() as connection:
            row = connection.execute("SELECT file FROM files WHERE item = ? AND side = ?", (item, side)).fetchone()
        return self._file(row["file"])

    def _file(self, name: object) -> Path:
        # Made by us; a session that somebody changed must not show other files of the machine.
        if not isinstance(name, str) or not _FILE.fullmatch(name):
            raise RecordError(Notice("review.damaged", {"path": str(self.folder / DATABASE), "name": repr(name)}))
        return self.folder / PICTURES / name

    def ballots(self) -> tuple[Ballot, ...]:
        """Everything that was shown, with the last vote on it: the unblinded key. By rater, place and position."""
        with self._open() as connection:
            rows = connection.execute(
                "SELECT raters.name AS rater, items.name AS item, sides.name AS side, place, position, score, "
                "coalesce(comment, '') AS comment, coalesce(votes.created, '') AS created "
                "FROM showings JOIN raters USING (rater) JOIN items USING (item) JOIN sides USING (side) "
                "LEFT JOIN votes USING (rater, place, position) "
                "WHERE vote IS NULL OR vote = (SELECT max(later.vote) FROM votes AS later WHERE later.rater = votes.rater "
                "AND later.place = votes.place AND later.position = votes.position) "
                "ORDER BY showings.rater, place, position"
            ).fetchall()
        ballots = (Ballot(**{name: row[name] for name in Ballot.__dataclass_fields__}) for row in rows)
        return tuple(replace(ballot, item=from_column(ballot.item)) for ballot in ballots)

    def _check(self, place: int, position: int) -> None:
        if not (0 <= place < len(self.items) and 0 <= position < len(self.sides)):
            raise LookupError(f"there is no picture {position} on screen {place}")


def _rater(row: sqlite3.Row) -> Rater:
    return Rater(number=row["rater"], token=row["token"], name=row["name"])
