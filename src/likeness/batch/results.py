"""The results of a batch among its files: written, withdrawn, and what a person's hand has changed there kept.

The journal knows what a run wrote, by its digest. Whatever else lies in a result's place is somebody's work, such as a
retoucher's, and is never overwritten nor removed: it is moved to the folder ``replaced``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Literal

from likeness.batch.journal import Item, Journal
from likeness.batch.storage import Storage
from likeness.core.outputs import FINAL, REPLACED, REVIEW

__all__ = ["deliver", "is_as_written", "names_in", "note_approved", "set_aside", "withdraw", "withdraw_given_up"]


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


def withdraw_given_up(journal: Journal, output: Storage) -> dict[str, tuple[str, ...]]:
    """`withdraw` what earlier runs made of pictures that failed as their process died of them: no worker lived to do it.

    Returns:
        what `withdraw` does, by the picture.

    Raises:
        FileWriteError: if one cannot be removed.
    """
    done: dict[str, tuple[str, ...]] = {}
    for item in journal.given_up():
        if item.outcome.get("output") or item.outcome.get("digest"):
            kept = done[item.source] = withdraw(output, item)
            now = {"output": None, "bytes": None, "digest": None, "replaced": list(kept)}
            journal.amend(item, {**item.outcome, **now}, "failed")
    return done


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
    items = list(journal.items(group="", states=[REVIEW]))
    # One listing for all of them: a store would be asked about each, and most lie where they were.
    unmoved = set(names_in(output, REVIEW)) if items else set[str]()
    for item in items:
        final, review = f"{FINAL}/{item.target}", f"{REVIEW}/{item.target}"
        if review not in unmoved and output.exists(final) and not output.exists(review):
            count += journal.amend(item, {**item.outcome, "output": f"{FINAL}/{item.target}", "approved": True}, FINAL)
    return count


def names_in(output: Storage, folder: str) -> Iterator[str]:
    """The files in a folder of the output, by their names in the output."""
    inside = Storage(output.locate(folder))
    if inside.is_folder():
        for listed in inside.files():
            yield f"{folder}/{listed.name}"


def _free(output: Storage, target: str) -> str:
    """A name in ``replaced`` that nothing has yet."""
    path = PurePosixPath(target)
    name, number = path, 1
    while output.exists(f"{REPLACED}/{name}"):
        number += 1
        name = path.with_stem(f"{path.stem}-{number}")
    return f"{REPLACED}/{name}"
