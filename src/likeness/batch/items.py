"""What a journal holds: tasks, items, and how a row of its file is read back."""

from __future__ import annotations

import hashlib
import json
import math
import os
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PureWindowsPath
from typing import Any, Literal, TypeAlias, cast

from likeness.imaging.names import from_column
from likeness.messages.notice import Notice

__all__ = ["STATES", "Item", "State", "Task", "Thumbnails", "canonical", "read_item", "to_number", "why_outside"]

State: TypeAlias = Literal["queued", "running", "final", "review", "skipped", "failed"]
"""queued, running; and the ends: final (delivered), review (restored, but doubtful), skipped (left alone on purpose:
preflight, no face) and failed (an error)."""

STATES: tuple[State, ...] = ("queued", "running", "final", "review", "skipped", "failed")


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is to be done to one picture.

    Attributes:
        target: name of the result inside the output, with "/" between folders; one of each name per group.
        source: where the picture is: a path or an fsspec URL.
        content: digest of the file's bytes (`likeness.core.hashing.sha256_of_bytes`).
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
        return _key(self.content, canonical(self.options), self.model)


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
        suspect: whether a process died while this item was in work, so that it is worked on alone.
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
    suspect: bool = False


@dataclass(frozen=True, kw_only=True)
class Thumbnails:
    """Small JPEGs for the summary; ``after`` is None where nothing was restored."""

    before: bytes
    after: bytes | None = None


def read_item(row: sqlite3.Row) -> Item:
    """A row, checked: what stands in the file decides where results are written.

    Raises:
        ValueError: if it is not what `Journal` writes.
    """
    text = {name: from_column(row[name]) for name in _TEXTS}
    try:
        options, outcome = json.loads(text["options"]), json.loads(text["outcome"])
    except RecursionError as error:
        raise ValueError("lists inside lists without end") from error
    if not isinstance(options, dict) or not isinstance(outcome, dict):
        raise ValueError("a list where names and values belong")
    if text["state"] not in STATES:
        raise ValueError(f"the state {text['state']!r}")
    if (why := why_outside(text["target"])) is not None:
        raise ValueError(f"its result's name {text['target']!r} {why}")
    if text["key"] != _key(text["content"], text["options"], text["model"]):
        raise ValueError("options, content or network are not those that it was put in with")
    return Item(
        id=int(row["id"]),
        group=text["grp"],
        target=text["target"],
        source=text["source"],
        content=text["content"],
        model=text["model"],
        options=cast("dict[str, Any]", options),
        key=text["key"],
        client=text["client"],
        email=text["email"],
        state=text["state"],
        reason=text["reason"],
        outcome=cast("dict[str, Any]", outcome),
        attempts=int(to_number(row["attempts"])),
        suspect=bool(row["suspect"]),
        created=to_number(row["created"]),
        changed=to_number(row["changed"]),
    )


def to_number(value: object) -> float:
    """A number of a column.

    Raises:
        ValueError: if the column holds something else.
    """
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} where a number belongs")
    return value


_TEXTS = (
    "grp",
    "target",
    "source",
    "content",
    "model",
    "options",
    "key",
    "client",
    "email",
    "state",
    "reason",
    "outcome",
)
"""Columns that hold text."""


def why_outside(target: str) -> Notice | None:
    """Why a result of this name would not lie inside the output; None if it does."""
    parts = target.split("/")
    if "\0" in target:
        return Notice("batch.null-character")
    if not set(parts).isdisjoint({"", ".", ".."}):
        return Notice("batch.leads-out")
    if os.name == "nt" and (PureWindowsPath(target).drive or "\\" in target):
        return Notice("batch.leads-out")
    return None


def _key(content: str, options: str, model: str) -> str:
    """See `Task.key`; the options as they stand in the file."""
    text = f"[{canonical(content)},{options},{canonical(model)}]"
    return hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()


def canonical(value: object) -> str:
    """Canonical: the same text for the same values."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
