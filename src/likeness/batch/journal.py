"""The journal: which pictures there are, what is to be done to each, and what became of it. It is the queue as well.

One SQLite file that survives ``kill -9`` at any moment and serves several threads and processes of one machine. Whoever
works takes an item with `Journal.claim`, which no other can take then, and gives it back with `Journal.finish` or
`Journal.fail`. What a worker had claimed when it died is claimed again.

::

    with Journal(Path("out/journal.sqlite")) as journal:
        journal.put([Task(target="aunt.jpg", source="in/aunt.jpg", content=digest, model="likeness-512", options={...})])
        while (item := journal.claim()) is not None:
            ...
            journal.finish(item, "final", outcome={"output": "final/aunt.jpg"})
        print(journal.counts())
"""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeAlias, cast

from likeness.batch.journal_file import JournalFile
from likeness.batch.owners import Owner, dead_owners, living_owners
from likeness.errors import BatchError

__all__ = ["JOURNAL", "STATES", "Finished", "Item", "Journal", "PutCount", "State", "Task", "Thumbnails"]

JOURNAL = "journal.sqlite"
"""What ``likeness batch`` calls it in the folder of its results."""

State: TypeAlias = Literal["queued", "running", "final", "review", "skipped", "failed"]
"""queued, running; and the ends: final (delivered), review (restored, but doubtful), skipped (left alone on purpose:
preflight, no face) and failed (an error)."""

Finished: TypeAlias = Literal["final", "review", "skipped"]

STATES: tuple[State, ...] = ("queued", "running", "final", "review", "skipped", "failed")

_LEASE = 900.0
"""Seconds after which an item that its worker has neither given back nor renewed may be claimed by another."""

_MAX_ATTEMPTS = 3
"""How often an item is begun: a picture that ends its process every time must not do so for ever."""

_FREE = "(owner IS NULL OR deadline < :now)"


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is to be done to one picture.

    Attributes:
        target: name of the result inside the output, with "/" between folders; one of each name per group.
        source: where the picture is: a path or an fsspec URL.
        content: digest of the file's bytes (`likeness.batch.places.digest`).
        model: the network's name with a digest of its weights.
        options: everything else that the result depends on, ready for JSON: controls, repairs, selection, quality, ...
        group: what belongs together, such as one job of a server; "" on the command line.
        client, email: whose picture it is, for notices.
    """

    target: str
    source: str
    content: str
    model: str
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    group: str = ""
    client: str = ""
    email: str = ""

    @property
    def key(self) -> str:
        """SHA-256 of content, options and model: the same for the same work, whatever the file is called."""
        return hashlib.sha256(_json([self.content, self.options, self.model]).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Item:
    """A row of the journal, as it was when it was read.

    Attributes:
        id: number of the row; later items have higher ones.
        group, target, source, content, model, options, client, email, key: see `Task`.
        state: see `State`.
        reason: why it is in review, was skipped or failed; one sentence, or "".
        outcome: what the worker recorded, ready for JSON; docs/batch.md lists the keys that ``likeness batch`` writes.
        attempts: how often it was begun.
        created, changed: seconds since 1970.
    """

    id: int
    group: str
    target: str
    source: str
    content: str
    model: str
    options: dict[str, Any]
    key: str
    client: str
    email: str
    state: State
    reason: str
    outcome: dict[str, Any]
    attempts: int
    created: float
    changed: float


@dataclass(frozen=True, kw_only=True)
class PutCount:
    """What `Journal.put` did: new items, items to be done again because something changed, and items kept as they were."""

    added: int = 0
    changed: int = 0
    kept: int = 0


@dataclass(frozen=True, kw_only=True)
class Thumbnails:
    """Small JPEGs for the summary; ``after`` is None where nothing was restored."""

    before: bytes
    after: bytes | None = None


class Journal:
    """The journal of one output; safe to use from several threads, and from several processes at once.

    Every method is one transaction. The file is in WAL mode with ``synchronous=FULL``: what a method has returned from is
    on the disk. It must lie on a disk of this machine, as SQLite's shared memory does not work over a network.

    Args:
        path: the file; made if need be, its folder too.
        lease: seconds that a claimed item stays claimed without `renew`. Items of a process of this machine that died are
            free at once; the lease is for workers that hang, and for other machines' that act through this one.
        max_attempts: an item that was begun so often and never given back has failed.
    """

    def __init__(self, path: Path, *, lease: float = _LEASE, max_attempts: int = _MAX_ATTEMPTS) -> None:
        if not lease > 0 or max_attempts < 1:
            raise ValueError(f"lease must be over 0 and max_attempts at least 1, not {lease} and {max_attempts}")
        self.path = path
        self._lease = lease
        self._max_attempts = max_attempts
        self._owners = path.with_name(f".{path.name}.owners")
        self._file = JournalFile(path)
        try:
            self._owner = Owner(self._owners)
        except OSError as error:
            self._file.close()
            raise BatchError(
                f"the folder of {path} cannot be written ({error.strerror}); choose another one"
            ) from error
        self.release_dead()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give back what this object has claimed and not finished, and close the file. May be called twice."""
        with self._file.lock:
            if self._owner.closed:
                return
            with self._file.transaction() as database:
                # Given back in good order, so the attempt does not count.
                _release(database, [self._owner.name], counted=False)
            self._file.close()
            self._owner.close()

    # What is to be done

    def put(self, tasks: Iterable[Task]) -> PutCount:
        """Add tasks, all of them or, if ``tasks`` raises, none.

        A task whose group and target are known already is compared by its key. The same key: the item stays as it is,
        whatever its state, except that a failure that may have passed (`fail`) is queued again. Another key: the item is
        queued again with the new options; if it is running, that begins when its worker has given it back.

        Source, client and e-mail address are always brought up to date.
        """
        added = changed = kept = 0
        now = time.time()
        with self._file.transaction() as database:
            for task in tasks:
                row = database.execute(
                    "SELECT id, key, state, again FROM item WHERE grp = ? AND target = ?", (task.group, task.target)
                ).fetchone()
                values = {
                    "grp": task.group,
                    "target": task.target,
                    "source": task.source,
                    "content": task.content,
                    "model": task.model,
                    "options": _json(task.options),
                    "key": task.key,
                    "client": task.client,
                    "email": task.email,
                    "now": now,
                }
                if row is None:
                    database.execute(
                        "INSERT INTO item (grp, target, source, content, model, options, key, client, email, state, "
                        "created, changed) VALUES (:grp, :target, :source, :content, :model, :options, :key, :client, "
                        ":email, 'queued', :now, :now)",
                        values,
                    )
                    added += 1
                    continue
                renewed = row["key"] != task.key or (row["state"] == "failed" and row["again"])
                database.execute(
                    "UPDATE item SET source = :source, client = :client, email = :email WHERE id = :id",
                    {**values, "id": row["id"]},
                )
                if not renewed:
                    kept += 1
                    continue
                # Owner and deadline stay: while a worker is still at it, nobody else may begin.
                database.execute(
                    "UPDATE item SET content = :content, model = :model, options = :options, key = :key, "
                    "state = 'queued', reason = '', again = 0, attempts = 0, changed = :now WHERE id = :id",
                    {**values, "id": row["id"]},
                )
                changed += 1
        return PutCount(added=added, changed=changed, kept=kept)

    def requeue(self, item: Item) -> bool:
        """Queue an item that has ended once more, such as one whose result was deleted; False if it has not ended."""
        with self._file.transaction() as database:
            done = database.execute(
                "UPDATE item SET state = 'queued', reason = '', again = 0, attempts = 0, changed = ? "
                "WHERE id = ? AND key = ? AND state NOT IN ('queued', 'running')",
                (time.time(), item.id, item.key),
            )
            return done.rowcount == 1

    def remove(self, group: str) -> int:
        """Forget a group with its thumbnails; how many items that were. What runs is forgotten as well."""
        with self._file.transaction() as database:
            return database.execute("DELETE FROM item WHERE grp = ?", (group,)).rowcount

    # Working

    def claim(self, *, group: str | None = None) -> Item | None:
        """Take the next item that waits, the oldest first; None if none does.

        Items whose lease ran out or whose process died are taken as well. One that was begun ``max_attempts`` times and
        never came back has failed, and is told so.

        Args:
            group: only of this group; of any if None.
        """
        item = self._claim(group)
        if item is None and self.release_dead():
            item = self._claim(group)
        return item

    def renew(self, item: Item) -> bool:
        """Hold an item for another lease; False if it is no longer held, and the work on it is in vain."""
        with self._file.transaction() as database:
            done = database.execute(
                "UPDATE item SET deadline = ? WHERE id = ? AND owner = ? AND key = ? AND state = 'running'",
                (time.time() + self._lease, item.id, self._owner.name, item.key),
            )
            return done.rowcount == 1

    def finish(
        self,
        item: Item,
        state: Finished,
        *,
        reason: str = "",
        outcome: Mapping[str, Any] | None = None,
        thumbnails: Thumbnails | None = None,
    ) -> bool:
        """Give an item back as done.

        Returns:
            whether that counted. False: it was claimed by another since, or is to be done again with other options.
        """
        return self._end(item, state, reason, outcome, thumbnails, again=False)

    def fail(self, item: Item, reason: str, *, retry: bool = False, outcome: Mapping[str, Any] | None = None) -> bool:
        """Give an item back as failed; with ``retry`` the next `put` of the same task queues it again (a full disk, too
        little memory: nothing that lies in the picture). Returns as `finish`."""
        return self._end(item, "failed", reason, outcome, None, again=retry)

    def release(self, item: Item, *, counted: bool = False) -> bool:
        """Give an item back unfinished, to be claimed again; returns as `finish`.

        Args:
            item: what was claimed.
            counted: whether it was an attempt, as its worker died; else it is as if it had never been claimed.
        """
        attempts = "attempts" if counted else "max(attempts - 1, 0)"
        with self._file.transaction() as database:
            done = database.execute(
                f"UPDATE item SET state = 'queued', owner = NULL, deadline = NULL, attempts = {attempts} "
                "WHERE id = ? AND owner = ?",
                (item.id, self._owner.name),
            )
            return done.rowcount == 1

    def release_dead(self) -> int:
        """Queue again what processes of this machine had claimed that are no more; how many items that were."""
        with self._file.lock:
            claimed = self._file.rows("SELECT DISTINCT owner FROM item WHERE owner IS NOT NULL")
            dead = dead_owners(self._owners, [row["owner"] for row in claimed])
            if not dead:
                return 0
            with self._file.transaction() as database:
                return _release(database, dead, counted=True)

    # Looking

    def items(
        self, *, group: str | None = None, states: Sequence[State] | None = None, source: str | None = None
    ) -> Iterator[Item]:
        """The items in the order in which they were first put, read in pages, so that a million costs no memory."""
        last = 0
        marks = ",".join("?" for _ in states or ())
        where = f" AND state IN ({marks})" if states is not None else ""
        values: list[str] = list(states or ())
        for column, value in (("grp", group), ("source", source)):
            if value is not None:
                where += f" AND {column} = ?"
                values.append(value)
        while True:
            found = self._file.rows(f"SELECT * FROM item WHERE id > ?{where} ORDER BY id LIMIT 500", (last, *values))
            yield from map(_item, found)
            if len(found) < 500:
                return
            last = found[-1]["id"]

    def get(self, target: str, *, group: str = "") -> Item | None:
        """The item of this target, or None."""
        rows = self._file.rows("SELECT * FROM item WHERE grp = ? AND target = ?", (group, target))
        return _item(rows[0]) if rows else None

    def counts(self, *, group: str | None = None) -> dict[State, int]:
        """How many items are in each state; every state is a key."""
        chosen, values = ("", ()) if group is None else ("WHERE grp = ?", (group,))
        rows = self._file.rows(f"SELECT state, count(*) AS n FROM item {chosen} GROUP BY state", values)
        found = {row["state"]: int(row["n"]) for row in rows}
        return {state: found.get(state, 0) for state in STATES}

    def groups(self) -> tuple[str, ...]:
        """The groups' names, in the order in which they began."""
        rows = self._file.rows("SELECT grp, min(id) AS first FROM item GROUP BY grp ORDER BY first")
        return tuple(row["grp"] for row in rows)

    def last_change(self, group: str) -> float:
        """When an item of this group last changed, seconds since 1970; infinity if the group has none."""
        found = self._file.rows("SELECT max(changed) AS last FROM item WHERE grp = ?", (group,))[0]["last"]
        return math.inf if found is None else float(found)

    def thumbnails(self, item: Item) -> Thumbnails | None:
        """What `finish` was given."""
        rows = self._file.rows("SELECT before, after FROM thumbnail WHERE item = ?", (item.id,))
        return Thumbnails(before=rows[0]["before"], after=rows[0]["after"]) if rows else None

    @property
    def lease(self) -> float:
        """Seconds that a claimed item stays claimed without `renew`."""
        return self._lease

    @property
    def alone(self) -> bool:
        """Whether no other process or object of this machine has this journal open."""
        return all(name == self._owner.name for name in living_owners(self._owners))

    # What files hold

    def known_content(self, source: str, stamp: str) -> str | None:
        """The digest of a file's content, if it was remembered and its stamp (size, time, ETag) is still the same."""
        rows = self._file.rows("SELECT digest FROM content WHERE source = ? AND stamp = ?", (source, stamp))
        return str(rows[0]["digest"]) if rows else None

    def remember_content(self, found: Iterable[tuple[str, str, str]]) -> None:
        """Keep (source, stamp, digest) of files, so that the next run need not read them to know them."""
        with self._file.transaction() as database:
            database.executemany("INSERT OR REPLACE INTO content (source, stamp, digest) VALUES (?, ?, ?)", found)

    # Inside

    def _claim(self, group: str | None) -> Item | None:
        # Without a group, by the index of what is open: by the state's, a long queue would be sorted for each item.
        index, chosen = ("item_open", "") if group is None else ("item_state", "AND grp = :grp")
        while True:
            now = time.time()
            values = {"now": now, "grp": group, "owner": self._owner.name, "deadline": now + self._lease}
            with self._file.transaction() as database:
                row = database.execute(
                    f"SELECT * FROM item INDEXED BY {index} WHERE state IN ('queued', 'running') AND {_FREE} {chosen} "
                    "ORDER BY id LIMIT 1",
                    values,
                ).fetchone()
                if row is None:
                    return None
                if row["attempts"] < self._max_attempts:
                    database.execute(
                        "UPDATE item SET state = 'running', owner = :owner, deadline = :deadline, "
                        "attempts = attempts + 1, changed = :now WHERE id = :id",
                        {**values, "id": row["id"]},
                    )
                    return _item(database.execute("SELECT * FROM item WHERE id = ?", (row["id"],)).fetchone())
                database.execute(
                    "UPDATE item SET state = 'failed', again = 0, owner = NULL, deadline = NULL, changed = ?, reason = ? "
                    "WHERE id = ?",
                    (
                        now,
                        f"the work on it ended {row['attempts']} times without a result: the process was killed, or died "
                        "of this picture",
                        row["id"],
                    ),
                )

    def _end(
        self,
        item: Item,
        state: State,
        reason: str,
        outcome: Mapping[str, Any] | None,
        thumbnails: Thumbnails | None,
        *,
        again: bool,
    ) -> bool:
        with self._file.transaction() as database:
            done = database.execute(
                "UPDATE item SET state = ?, reason = ?, outcome = ?, again = ?, owner = NULL, deadline = NULL, "
                "changed = ? WHERE id = ? AND owner = ? AND key = ? AND state = 'running'",
                (state, reason, _json(outcome or {}), again, time.time(), item.id, self._owner.name, item.key),
            )
            if done.rowcount != 1:
                # Wanted otherwise meanwhile: now it may begin.
                database.execute(
                    "UPDATE item SET owner = NULL, deadline = NULL WHERE id = ? AND owner = ? AND state = 'queued'",
                    (item.id, self._owner.name),
                )
                return False
            database.execute("DELETE FROM thumbnail WHERE item = ?", (item.id,))
            if thumbnails is not None:
                database.execute(
                    "INSERT INTO thumbnail (item, before, after) VALUES (?, ?, ?)",
                    (item.id, thumbnails.before, thumbnails.after),
                )
            return True


def _release(database: sqlite3.Connection, owners: Sequence[str], *, counted: bool) -> int:
    """Queue again what these owners had claimed; with ``counted`` the attempt stays counted."""
    attempts = "attempts" if counted else "max(attempts - 1, 0)"
    return sum(
        database.execute(
            f"UPDATE item SET state = 'queued', owner = NULL, deadline = NULL, attempts = {attempts} "
            "WHERE owner = ? AND state IN ('queued', 'running')",
            (owner,),
        ).rowcount
        for owner in owners
    )


def _json(value: object) -> str:
    """Canonical: the same text for the same values."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _item(row: sqlite3.Row) -> Item:
    return Item(
        id=row["id"],
        group=row["grp"],
        target=row["target"],
        source=row["source"],
        content=row["content"],
        model=row["model"],
        options=cast("dict[str, Any]", json.loads(row["options"])),
        key=row["key"],
        client=row["client"],
        email=row["email"],
        state=row["state"],
        reason=row["reason"],
        outcome=cast("dict[str, Any]", json.loads(row["outcome"])),
        attempts=row["attempts"],
        created=row["created"],
        changed=row["changed"],
    )
