"""The persons of an album: the faces of a folder grouped by who they show, and a person's corrections to that.

Grouping is average linkage (Sokal and Michener, "A statistical method for evaluating systematic relationships", 1958): the
two groups whose faces are most alike on average are joined, until none are alike enough. Corrections hold: faces that were
merged by hand are one person from the start, those that were split never meet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from likeness.core.files import write_text_atomically
from likeness.errors import ConfigError
from likeness.messages.notice import Notice, notice_of, reason_of
from likeness.reference.matching import SAME_FROM, Embedding

__all__ = ["Corrections", "Person", "group", "read_corrections", "write_corrections"]


@dataclass(frozen=True, kw_only=True)
class Person:
    """Faces that show one person, by their keys in the order in which they were given."""

    faces: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Corrections:
    """What a person said about who is who; faces are named by the keys that `group` is given, say "file.jpg#0".

    Attributes:
        merge: groups of faces that show one person.
        split: pairs of faces that show two persons.
        never: faces that must serve nobody; they are grouped all the same.
    """

    merge: tuple[tuple[str, ...], ...] = ()
    split: tuple[tuple[str, str], ...] = ()
    never: frozenset[str] = frozenset()


def group(
    embeddings: Mapping[str, Embedding], corrections: Corrections | None = None, *, same_from: float = SAME_FROM
) -> tuple[Person, ...]:
    """Group faces by person: the largest group first, then as given.

    Args:
        embeddings: of each face, by its key (`FaceMatcher.embed`).
        corrections: what holds in any case; keys that are not given are passed over.
        same_from: mean likeness from which two groups are one person.

    Raises:
        ConfigError: if the corrections both merge and split two faces.
    """
    keys = list(embeddings)
    if not keys:
        return ()
    corrections = corrections or Corrections()
    place = {key: number for number, key in enumerate(keys)}
    groups: list[set[int]] = [{number} for number in range(len(keys))]
    for together in corrections.merge:
        known = {place[key] for key in together if key in place}
        touched = [members for members in groups if members & known]
        if touched:
            groups = [members for members in groups if not members & known] + [set[int]().union(*touched)]
    owner = {number: index for index, members in enumerate(groups) for number in members}
    apart = np.eye(len(groups), dtype=bool)
    for one, other in corrections.split:
        if one in place and other in place:
            rows = owner[place[one]], owner[place[other]]
            if rows[0] == rows[1]:
                raise ConfigError(Notice("album.contradiction", {"one": one, "other": other}))
            apart[rows] = apart[rows[::-1]] = True
    vectors = np.stack([embeddings[key] for key in keys])
    sums = np.stack([vectors[sorted(members)].sum(axis=0) for members in groups])
    products, sizes = sums @ sums.T, np.array([len(members) for members in groups], dtype=np.float64)
    # The mean likeness of two groups: the product of their sums over that of their sizes.
    means = np.outer(sizes, sizes)
    np.divide(products, means, out=means)  # in place: of ten thousand faces each such table takes 0.8 GB
    means[apart] = -np.inf
    # The most that each group has in common with any: of all pairs only those with the two that were joined change, and an
    # album of thousands of faces is joined thousands of times.
    most = means.max(axis=1)
    while True:
        one = int(most.argmax())
        other = int(means[one].argmax())
        if means[one, other] < same_from:
            break
        stale = ((means[:, one] == most) | (means[:, other] == most)) & (most > -np.inf)
        groups[one] |= groups[other]
        groups[other] = set()
        products[one] += products[other]
        products[:, one] += products[:, other]
        sizes[one] += sizes[other]
        apart[one] |= apart[other]
        apart[:, one] |= apart[:, other]
        apart[other] = apart[:, other] = True
        means[one] = means[:, one] = np.where(apart[one], -np.inf, products[one] / (sizes * sizes[one]))
        means[other] = means[:, other] = -np.inf
        np.maximum(most, means[:, one], out=most)
        stale[[one, other]] = True
        most[stale] = means[stale].max(axis=1)
    ordered = sorted((members for members in groups if members), key=lambda members: (-len(members), min(members)))
    return tuple(Person(faces=tuple(keys[number] for number in sorted(members))) for members in ordered)


def read_corrections(path: Path) -> Corrections:
    """Read what `write_corrections` wrote, or a person did by hand; nothing is corrected where there is no file.

    Raises:
        ConfigError: if it is no such file.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # Windows editors put a byte order mark before the text
    except FileNotFoundError:
        return Corrections()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(Notice("album.corrections-unread", {"path": str(path), "why": reason_of(error)})) from error
    try:
        found: Any = json.loads(text)
        unknown = sorted(set(found) - {"merge", "split", "never"})
        if unknown:
            raise ValueError(f'"{unknown[0]}" is not one of merge, split, never')
        merge = tuple(_keys(row) for row in cast("Sequence[Any]", found.get("merge", [])))
        split = tuple(_keys(row) for row in cast("Sequence[Any]", found.get("split", [])))
        if any(len(row) != 2 for row in split):
            raise ValueError("each entry of split must be two faces")
        return Corrections(
            merge=merge, split=tuple((row[0], row[1]) for row in split), never=frozenset(_keys(found.get("never", [])))
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigError(Notice("album.no-corrections", {"path": str(path), "why": notice_of(error)})) from error


def write_corrections(path: Path, corrections: Corrections) -> None:
    """Write corrections as JSON; the file appears whole or not at all.

    Raises:
        FileWriteError: if it cannot be written.
    """
    content = {
        "merge": [list(row) for row in corrections.merge],
        "split": [list(row) for row in corrections.split],
        "never": sorted(corrections.never),
    }
    write_text_atomically(json.dumps(content, indent=2, ensure_ascii=False), path)


def _keys(row: Any) -> tuple[str, ...]:
    if not isinstance(row, list) or not all(isinstance(key, str) for key in cast("list[Any]", row)):
        raise ValueError("faces must be a list of texts")
    return tuple(cast("list[str]", row))
