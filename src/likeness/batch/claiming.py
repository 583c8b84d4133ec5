"""Which item of a journal is taken next, and what becomes of those whose worker died: statements on the journal's file, each
within a transaction of `likeness.batch.journal.Journal`.

An item that was in work when a process died is suspect, as it may have died of that one: it is worked on next, and alone.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from typing import cast

from likeness.imaging.names import to_column

__all__ = ["claim_next", "condemn", "cut_off", "give_back"]


def claim_next(
    database: sqlite3.Connection, owner: str, *, lease: float, max_attempts: int, group: str | None, watched: bool
) -> sqlite3.Row | None:
    """The row of the item that ``owner`` has now, as `likeness.batch.journal.Journal.claim` says; None if there is none."""
    # Without a group, by the index of what is open: by the state's, a long queue would be sorted for each item.
    open_ = "item INDEXED BY item_open WHERE state IN ('queued', 'running')"
    source, chosen = (open_, "") if group is None else ("item WHERE state = 'queued'", "AND grp = :grp")
    now = time.time()
    values = {
        "now": now,
        "grp": None if group is None else to_column(group),
        "owner": owner,
        "deadline": now + lease,
    }
    cut_off(database, "owner IS NOT NULL AND deadline < :now", values)
    condemn(database, max_attempts)
    held = database.execute("SELECT max(suspect) AS suspect FROM item WHERE owner = :owner", values).fetchone()
    waits = database.execute(
        f"SELECT id FROM item INDEXED BY item_suspect WHERE suspect > 0 AND state = 'queued' AND owner IS NULL "
        f"{chosen} ORDER BY id LIMIT 1",
        values,
    ).fetchone()
    if held["suspect"] is not None and (held["suspect"] or waits is not None):
        return None
    row = (
        waits
        or database.execute(
            f"SELECT id FROM {source} AND suspect = 0 AND owner IS NULL {chosen} ORDER BY id LIMIT 1", values
        ).fetchone()
    )
    if row is None:
        return None
    # Above 1: that this process dies counts.
    database.execute(
        "UPDATE item SET state = 'running', owner = :owner, deadline = :deadline, attempts = attempts + 1, "
        "suspect = suspect * :weight, changed = :now WHERE id = :id",
        {**values, "id": row["id"], "weight": 1 if watched else 2},
    )
    return cast("sqlite3.Row", database.execute("SELECT * FROM item WHERE id = ?", (row["id"],)).fetchone())


def condemn(database: sqlite3.Connection, max_attempts: int) -> None:
    """Items whose process died too often while they were alone have failed."""
    database.execute(
        "UPDATE item INDEXED BY item_suspect SET state = 'failed', again = 0, changed = ?, "
        "reason = 'the work on it ended ' || attempts || ' times without a result, at last while nothing else was in "
        "work: the process was killed, or died of this picture' "
        "WHERE suspect > 0 AND state = 'queued' AND owner IS NULL AND deaths >= ?",
        (time.time(), max(max_attempts - 1, 1)),
    )


def give_back(database: sqlite3.Connection, owner: str) -> None:
    """Queue again what an owner had claimed, as if it had never been."""
    database.execute(
        "UPDATE item SET state = 'queued', owner = NULL, deadline = NULL, attempts = max(attempts - 1, 0), "
        "suspect = min(suspect, 1) WHERE owner = ? AND state IN ('queued', 'running')",
        (owner,),
    )


def cut_off(database: sqlite3.Connection, which: str, values: Mapping[str, object]) -> int:
    """Queue again what was in work when its worker died or hung; how many items that were. They are suspect; a death counts
    only against what was alone."""
    return database.execute(
        "UPDATE item INDEXED BY item_owner SET state = 'queued', owner = NULL, deadline = NULL, "
        f"deaths = deaths + (suspect > 1), suspect = 1 WHERE {which}",
        values,
    ).rowcount
