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

import logging
import math
import sqlite3
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeAlias

from likeness.batch.claiming import claim_next, condemn, cut_off, give_back
from likeness.batch.items import STATES, Item, State, Task, Thumbnails, canonical, read_item, to_number, why_outside
from likeness.batch.journal_file import JournalFile, damaged
from likeness.batch.liveness import Owner, dead_owners, living_owners
from likeness.errors import BatchError, JournalError
from likeness.imaging.names import from_column, to_column
from likeness.messages.notice import Notice, reason_of

__all__ = ["STATES", "Finished", "Item", "Journal", "PutCount", "State", "Task", "Thumbnails"]

_log = logging.getLogger(__name__)

Finished: TypeAlias = Literal["final", "review", "skipped"]

_LEASE = 900.0
"""Seconds after which an item that its worker has neither given back nor renewed may be claimed by another."""

_MAX_ATTEMPTS = 3
"""How often an item is begun that ends its process every time: once beside others, and then alone."""


@dataclass(frozen=True, kw_only=True)
class PutCount:
    """What `Journal.put` did: new items, items to be done again because something changed, and items kept as they were."""

    added: int = 0
    changed: int = 0
    kept: int = 0


class Journal:
    """The journal of one output; safe to use from several threads, and from several processes at once.

    Every method is one transaction. The file is in WAL mode with ``synchronous=FULL``: what a method has returned from is
    on the disk. It must lie on a disk of this machine, as SQLite's shared memory does not work over a network.

    Args:
        path: the file; made if need be, its folder too.
        lease: seconds that a claimed item stays claimed without `renew`. Items of a process of this machine that died are
            free at once; the lease is for workers that hang, and for other machines' that act through this one.
        max_attempts: an item has failed whose process died so often, counting the first time beside other items and after
            that only deaths while it was alone. 1 counts as 2: nothing is condemned for what died beside it.
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
            raise JournalError(Notice("batch.journal-folder", {"path": str(path), "why": reason_of(error)})) from error
        try:
            self.release_dead()
        except JournalError:
            self.close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give back what this object has claimed and not finished, and close the file. May be called twice."""
        with self._file.lock:
            if self._owner.closed:
                return
            try:
                with self._file.transaction() as database:
                    # Given back in good order, so the attempt does not count.
                    give_back(database, self._owner.name)
            except JournalError as error:
                # Its disk is full, or worse. Who opens it next takes what stayed claimed for cut off, as after a kill.
                _log.info("%s", error)
            finally:
                self._file.close()
                self._owner.close()

    # What is to be done

    @contextmanager
    def alone_at_it(self) -> Generator[None]:
        """All that is done within counts, or, if it raises, nothing; nobody else writes meanwhile, so that what was read
        still holds. For moments: others wait."""
        with self._file.transaction():
            yield

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
                if (why := why_outside(task.target)) is not None:
                    told = {"source": str(task.source), "target": repr(task.target), "why": why}
                    raise BatchError(Notice("batch.target-refused", told))
                values = {
                    "grp": to_column(task.group),
                    "target": to_column(task.target),
                    "source": to_column(task.source),
                    "content": task.content,
                    "model": to_column(task.model),
                    "options": to_column(canonical(task.options)),
                    "key": task.key,
                    "client": to_column(task.client),
                    "email": to_column(task.email),
                    "now": now,
                }
                row = database.execute(
                    "SELECT id, key, state, again FROM item WHERE grp = :grp AND target = :target", values
                ).fetchone()
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
                    "state = 'queued', reason = '', again = 0, attempts = 0, deaths = 0, "
                    "suspect = CASE WHEN owner IS NULL THEN 0 ELSE suspect END, changed = :now WHERE id = :id",
                    {**values, "id": row["id"]},
                )
                changed += 1
        return PutCount(added=added, changed=changed, kept=kept)

    def requeue(self, item: Item) -> bool:
        """Queue an item that has ended once more, such as one whose result was deleted; False if it has not ended. One that
        failed as its process died is worked on alone."""
        with self._file.transaction() as database:
            done = database.execute(
                "UPDATE item SET state = 'queued', reason = '', again = 0, attempts = 0, deaths = 0, changed = ? "
                "WHERE id = ? AND key = ? AND state NOT IN ('queued', 'running')",
                (time.time(), item.id, item.key),
            )
            return done.rowcount == 1

    def remove(self, group: str) -> int:
        """Forget a group with its thumbnails; how many items that were. What runs is forgotten as well."""
        with self._file.transaction() as database:
            return database.execute("DELETE FROM item WHERE grp = ?", (to_column(group),)).rowcount

    # Working

    def claim(self, *, group: str | None = None, watched: bool = False) -> Item | None:
        """Take the next item that waits, the oldest first; None if none does, or none may be taken now.

        What was in work when a process died is suspect: it comes first, and alone. While this object holds anything, no
        suspect item is given out, and while one waits or is held, no other; so once everything that is held has been given
        back, ask again before you believe that the queue is empty. An item whose process died ``max_attempts`` times has
        failed, and is told so.

        Items whose lease ran out or whose process died are taken as well.

        Args:
            group: only of this group; of any if None.
            watched: a suspect item will be worked on in another process, whose death is told by `release`: that of this
                one says nothing about it.
        """
        item = self._claim(group, watched)
        if item is None and self.release_dead():
            item = self._claim(group, watched)
        return item

    def suspects(self, *, group: str | None = None) -> int:
        """How many items wait to be worked on alone."""
        chosen, values = ("", ()) if group is None else ("AND grp = ?", (to_column(group),))
        rows = self._file.rows(
            f"SELECT count(*) AS n FROM item WHERE suspect > 0 AND state = 'queued' AND owner IS NULL {chosen}", values
        )
        return int(rows[0]["n"])

    def renew(self, item: Item, *, trusted: bool = False) -> bool:
        """Hold an item for another lease; False if it is no longer held, and the work on it is in vain. ``trusted`` says of
        a suspect one that it gets on, and keeps what it has done, so that others may be worked on beside it."""
        with self._file.transaction() as database:
            # Also of one that is wanted otherwise: as long as this worker is at it, nobody else may begin.
            held = (item.id, self._owner.name)
            database.execute(
                "UPDATE item SET deadline = ? WHERE id = ? AND owner = ?", (time.time() + self._lease, *held)
            )
            done = database.execute(
                "UPDATE item SET suspect = CASE WHEN ? THEN 0 ELSE suspect END"
                " WHERE id = ? AND owner = ? AND key = ? AND state = 'running'",
                (trusted, *held, item.key),
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

    def amend(self, item: Item, outcome: Mapping[str, Any], state: State) -> bool:
        """Write down what was done with an ended item's result since; False if it has changed, or is wanted otherwise."""
        values = (state, to_column(canonical(outcome)), time.time(), item.id, item.key, item.state)
        with self._file.transaction() as database:
            sql = "UPDATE item SET state = ?, outcome = ?, changed = ? WHERE id = ? AND key = ? AND state = ?"
            return database.execute(sql, values).rowcount == 1

    def release(self, item: Item, *, counted: bool = False) -> bool:
        """Give an item back unfinished, to be claimed again; returns as `finish`.

        Args:
            item: what was claimed.
            counted: whether its worker died of it, or of what was beside it: it is worked on alone next, and if it was
                alone, the death counts. Else it is as if it had never been claimed.
        """
        with self._file.transaction() as database:
            if counted:
                changes = "deaths = deaths + (suspect > 0), suspect = 1"
            else:
                changes = "attempts = max(attempts - 1, 0), suspect = min(suspect, 1)"
            done = database.execute(
                f"UPDATE item SET state = 'queued', owner = NULL, deadline = NULL, {changes} WHERE id = ? AND owner = ?",
                (item.id, self._owner.name),
            )
            condemn(database, self._max_attempts)
            return done.rowcount == 1

    def release_dead(self) -> int:
        """Queue again what processes of this machine had claimed that are no more; how many items that were. They are
        suspect from now on."""
        with self._file.lock:
            claimed = self._file.rows("SELECT DISTINCT owner FROM item WHERE owner IS NOT NULL")
            dead = dead_owners(self._owners, [str(row["owner"]) for row in claimed])
            if not dead:
                return 0
            with self._file.transaction() as database:
                return sum(cut_off(database, "owner = :owner", {"owner": owner}) for owner in dead)

    # Looking

    def items(
        self, *, group: str | None = None, states: Sequence[State] | None = None, source: str | None = None
    ) -> Iterator[Item]:
        """The items in the order in which they were first put, read in pages, so that a million costs no memory."""
        last = 0
        marks = ",".join("?" for _ in states or ())
        where = f" AND state IN ({marks})" if states is not None else ""
        values: list[str | bytes] = list(states or ())
        for column, value in (("grp", group), ("source", source)):
            if value is not None:
                where += f" AND {column} = ?"
                values.append(to_column(value))
        while True:
            found = self._file.rows(f"SELECT * FROM item WHERE id > ?{where} ORDER BY id LIMIT 500", (last, *values))
            yield from map(self._item, found)
            if len(found) < 500:
                return
            last = found[-1]["id"]

    def given_up(self) -> list[Item]:
        """What failed and is not tried again by itself."""
        return list(map(self._item, self._file.rows("SELECT * FROM item WHERE state = 'failed' AND again = 0")))

    def get(self, target: str, *, group: str = "") -> Item | None:
        """The item of this target, or None."""
        rows = self._file.rows("SELECT * FROM item WHERE grp = ? AND target = ?", (to_column(group), to_column(target)))
        return self._item(rows[0]) if rows else None

    def counts(self, *, group: str | None = None) -> dict[State, int]:
        """How many items are in each state; every state is a key."""
        chosen, values = ("", ()) if group is None else ("WHERE grp = ?", (to_column(group),))
        rows = self._file.rows(f"SELECT state, count(*) AS n FROM item {chosen} GROUP BY state", values)
        found = {row["state"]: int(row["n"]) for row in rows}
        return {state: found.get(state, 0) for state in STATES}

    def groups(self) -> tuple[str, ...]:
        """The groups' names, in the order in which they began."""
        rows = self._file.rows("SELECT grp, min(id) AS first FROM item GROUP BY grp ORDER BY first")
        try:
            return tuple(from_column(row["grp"]) for row in rows)
        except ValueError as error:
            raise damaged(self.path, str(error)) from error

    def last_change(self, group: str) -> float:
        """When an item of this group last changed, seconds since 1970; infinity if the group has none."""
        found = self._file.rows("SELECT max(changed) AS last FROM item WHERE grp = ?", (to_column(group),))
        last = found[0]["last"]
        try:
            return math.inf if last is None else to_number(last)
        except ValueError as error:
            raise damaged(self.path, str(error)) from error

    def thumbnails(self, item: Item) -> Thumbnails | None:
        """What `finish` was given."""
        rows = self._file.rows("SELECT before, after FROM thumbnail WHERE item = ?", (item.id,))
        if not rows:
            return None
        before, after = rows[0]["before"], rows[0]["after"]
        if not isinstance(before, bytes) or not isinstance(after, bytes | None):
            raise damaged(self.path, Notice("journal.thumbnails", {"item": item.id}))
        return Thumbnails(before=before, after=after)

    @property
    def lease(self) -> float:
        """Seconds that a claimed item stays claimed without `renew`."""
        return self._lease

    @property
    def alone(self) -> bool:
        """Whether no other process or object of this machine has this journal open."""
        return all(name == self._owner.name for name in living_owners(self._owners))

    # What files hold

    def known_content(self, source: str, stamp: str | None) -> str | None:
        """The digest of a file's content, if it was remembered with this stamp (size, time, ETag); for None with any."""
        names = (to_column(source), None if stamp is None else to_column(stamp))
        rows = self._file.rows("SELECT digest FROM content WHERE source = ? AND stamp = coalesce(?, stamp)", names)
        return str(rows[0]["digest"]) if rows else None

    def remember_content(self, found: Iterable[tuple[str, str, str]]) -> None:
        """Keep (source, stamp, digest) of files, so that the next run need not read them to know them."""
        with self._file.transaction() as database:
            database.executemany(
                "INSERT OR REPLACE INTO content (source, stamp, digest) VALUES (?, ?, ?)",
                (tuple(map(to_column, row)) for row in found),
            )

    # Inside

    def _claim(self, group: str | None, watched: bool) -> Item | None:
        with self._file.transaction() as database:
            row = claim_next(
                database,
                self._owner.name,
                lease=self._lease,
                max_attempts=self._max_attempts,
                group=group,
                watched=watched,
            )
            return None if row is None else self._item(row)

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
        told = to_column(canonical(outcome or {}))
        values = (state, to_column(reason), told, again, time.time(), item.id, self._owner.name, item.key)
        with self._file.transaction() as database:
            done = database.execute(
                "UPDATE item SET state = ?, reason = ?, outcome = ?, again = ?, owner = NULL, deadline = NULL, "
                "suspect = 0, deaths = 0, changed = ? WHERE id = ? AND owner = ? AND key = ? AND state = 'running'",
                values,
            )
            if done.rowcount != 1:
                # Wanted otherwise meanwhile: now it may begin, and who does knows what lies in its result's place.
                database.execute(
                    "UPDATE item SET owner = NULL, deadline = NULL, suspect = 0, outcome = ? WHERE id = ? AND owner = ? "
                    "AND state = 'queued'",
                    (told, item.id, self._owner.name),
                )
                return False
            database.execute("DELETE FROM thumbnail WHERE item = ?", (item.id,))
            if thumbnails is not None:
                database.execute(
                    "INSERT INTO thumbnail (item, before, after) VALUES (?, ?, ?)",
                    (item.id, thumbnails.before, thumbnails.after),
                )
            return True

    def _item(self, row: sqlite3.Row) -> Item:
        """Checked: what stands in the file decides where results are written."""
        try:
            return read_item(row)
        except ValueError as error:
            raise damaged(self.path, f"item {row['id']}: {error}") from error
