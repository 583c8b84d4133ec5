"""The results of a batch among its files: written, withdrawn, and what a person's hand has changed there kept.

The journal knows what a run wrote, by its digest. Whatever else lies in a result's place is somebody's work, such as a
retoucher's, and is never overwritten nor removed: it is moved to the folder ``replaced``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Literal

from likeness.batch.journal import Item, Journal
from likeness.batch.storage import Storage
from likeness.core.outputs import FINAL, REPLACED, REVIEW

__all__ = ["deliver", "is_as_written", "note_approved", "set_aside", "withdraw"]


def deliver(
    output: Storage, item: Item, state: Literal["final", "review"], data: bytes, digest: str
) -> tuple[str, ...]:
    """Write a result into its folder, and take it out of the other one, where an earlier run may have put it.

    Args:
        output: where results lie.
        item: as it was claimed.
        state: its folder.
        data: the result.
        digest: the SHA-256 of ``data``.

    Returns:
        names of files in ``replaced`` that lay in its place and were none of a run's.

    Raises:
        FileWriteError: if it cannot be written.
    """
    kept = set_aside(output, item, digest)
    output.write(data, f"{state}/{item.target}")
    output.remove(f"{FINAL if state == REVIEW else REVIEW}/{item.target}")
    return kept


def withdraw(output: Storage, item: Item) -> tuple[str, ...]:
    """Take away what an earlier run made of a picture that is now left alone or cannot be read; returns as `deliver`.

    Raises:
        FileWriteError: if it cannot be removed.
    """
    if not item.outcome.get("output") and not item.outcome.get("digest"):
        return ()
    kept = set_aside(output, item)
    for folder in (FINAL, REVIEW):
        output.remove(f"{folder}/{item.target}")
    return kept


def set_aside(output: Storage, item: Item, digest: str = "") -> tuple[str, ...]:
    """Move what lies in a result's place, and no run wrote, to ``replaced``; names of what was moved.

    Args:
        output: where results lie.
        item: as it was claimed, with the outcome of its last run.
        digest: of the new result, as which one may lie there that was written just before a run was killed.

    Raises:
        FileWriteError: if it cannot be moved.
    """
    kept: list[str] = []
    for folder in (FINAL, REVIEW):
        name = f"{folder}/{item.target}"
        if not output.exists(name):
            continue
        size, found = output.digest(name)
        if found == digest or is_as_written(item.outcome, size, found):
            continue
        kept.append(_free(output, item.target))
        output.move(name, kept[-1])
    return tuple(kept)


def is_as_written(outcome: Mapping[str, Any], size: int, digest: str) -> bool:
    """Whether a file is a result as it was written; journals from before there were digests know its size alone."""
    known = outcome.get("digest")
    return size == outcome.get("bytes") if known is None else digest == known


def note_approved(journal: Journal, output: Storage) -> int:
    """Write down which results somebody looked at and moved from ``review`` to ``final``; how many that were."""
    count = 0
    for item in list(journal.items(group="", states=[REVIEW])):
        if output.exists(f"{FINAL}/{item.target}") and not output.exists(f"{REVIEW}/{item.target}"):
            count += journal.approve(item, {**item.outcome, "output": f"{FINAL}/{item.target}", "approved": True})
    return count


def _free(output: Storage, target: str) -> str:
    """A name in ``replaced`` that nothing has yet."""
    path = PurePosixPath(target)
    name, number = path, 1
    while output.exists(f"{REPLACED}/{name}"):
        number += 1
        name = path.with_stem(f"{path.stem}-{number}")
    return f"{REPLACED}/{name}"
