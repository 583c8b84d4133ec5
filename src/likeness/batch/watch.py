"""A hot folder: which files are complete, as far as that can be seen from outside."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from likeness.batch.sources import Source

__all__ = ["Settling"]

_STILL = 2.0
"""Seconds in which a complete file's size and time do not change."""

_LATER = 300.0
"""Seconds after which what failed for a reason that may pass, such as a full disk, is tried again."""


class Settling:
    """Tells which pictures lie still: size and time have stayed what they were for a while.

    A copy that stalls for longer is taken too early; it fails as cut short, and is taken again when it has grown.
    """

    def __init__(self) -> None:
        self._since: dict[str, tuple[str, float]] = {}
        self._given: dict[str, Source] = {}
        self._later: dict[str, float] = {}

    def take_back(self, source: Source) -> None:
        """Give one again the next time: nothing could be done with it."""
        self._given.pop(source.url, None)

    def later(self, url: str) -> None:
        """Give one again after a while, though it stays as it is: what went wrong may have passed by then."""
        self._later[url] = time.monotonic() + _LATER

    def ready(self, sources: Sequence[Source]) -> tuple[Source, ...]:
        """Those that lie still and were not given before as they are now, with the settings that they have now; and those
        that are to be given again."""
        now = time.monotonic()
        found: list[Source] = []
        for source in sources:
            stamp, since = self._since.get(source.url, ("", now))
            if stamp != source.stamp:
                self._since[source.url] = source.stamp, now
                since = now
            again = self._later.get(source.url, math.inf) <= now
            if now - since >= _STILL and (again or self._given.get(source.url) != source):
                self._given[source.url] = source
                self._later.pop(source.url, None)
                found.append(source)
        there = {source.url for source in sources}
        for gone in [url for url in self._since if url not in there]:
            del self._since[gone]
            self._given.pop(gone, None)
            self._later.pop(gone, None)
        return tuple(found)
