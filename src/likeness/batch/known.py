"""Which result of an earlier run is a picture's own: known by where the picture lies, and after it was moved by what it is
called and holds.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Protocol
from unicodedata import normalize

from likeness.batch.journal import Journal
from likeness.batch.sources import Source
from likeness.batch.storage import Storage, is_url
from likeness.core.home import expanded
from likeness.errors import LikenessError

__all__ = ["Naming", "is_gone", "targets_of"]


class Naming(Protocol):
    """How results are named; see `likeness.batch.runner.TaskPlan`."""

    @property
    def group(self) -> str:
        """See there."""
        ...

    def names(self, names: Sequence[str], taken: Sequence[str]) -> list[str]:
        """See there."""
        ...


def targets_of(
    sources: Sequence[Source],
    contents: Sequence[str],
    journal: Journal,
    naming: Naming,
    gone: Callable[[str], bool],
) -> tuple[list[str], bool]:
    """The name of each result: what it was before; else its own name, with its old suffix if it must.

    A picture is that of an item whose source it was; or lies in the same place, however that is written; or is called the
    same and holds the same as one that is no longer where it was.

    Args:
        sources: the pictures.
        contents: their digests; "" of one that cannot be read.
        journal: of the earlier runs.
        naming: how new ones are named.
        gone: whether there is no file of a path or URL (`is_gone`).

    Returns:
        the names, and whether one of them is new.
    """
    here = {source.url for source in sources}
    known: dict[str, str] = {}
    moved = _Moved(gone)
    for item in journal.items(group=naming.group):
        known[item.source] = item.target
        if item.source not in here:
            moved.add(item.source, item.content)
    found: dict[str, str] = {}
    for source, content in zip(sources, contents, strict=True):
        before = source.url if source.url in known else moved.take(source.url, content)
        if before is not None:
            found[source.url] = known[before]
    fresh = [source for source in sources if source.url not in found]
    names = naming.names([source.name for source in fresh], list(known.values()))
    found |= {source.url: name for source, name in zip(fresh, names, strict=True)}
    return [found[source.url] for source in sources], bool(fresh)


def is_gone(url: str) -> bool:
    """Whether there is no file of this path or URL; False where that cannot be told."""
    if not is_url(url):
        return not os.path.lexists(expanded(url))
    try:
        place, name = Storage.of(url)
        return not place.exists(name)
    except LikenessError:
        return False


class _Moved:
    """Pictures that are not where they were looked for this time, each of which is one other at most."""

    def __init__(self, gone: Callable[[str], bool]) -> None:
        self._gone = gone
        self._by_place: dict[str, str] = {}
        self._by_content: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._taken: set[str] = set()

    def add(self, url: str, content: str) -> None:
        self._by_place.setdefault(_place(url), url)
        if content:
            self._by_content[_name(url), content].append(url)

    def take(self, url: str, content: str) -> str | None:
        """What a picture was before; None if it is new."""
        same = self._by_place.get(_place(url))
        if same is not None and same not in self._taken:
            self._taken.add(same)
            return same
        for before in self._by_content.get((_name(url), content), ()):
            if before not in self._taken and self._gone(before):
                self._taken.add(before)
                return before
        return None


def _place(url: str) -> str:
    # A file that was copied by a Mac may come back with its accents spelt otherwise.
    return normalize("NFC", url if is_url(url) else os.path.abspath(expanded(url)))  # noqa: PTH100 - links are names, too


def _name(url: str) -> str:
    return normalize("NFC", PurePosixPath(url.replace(os.sep, "/")).name)
