"""What this process works on stays its own, however long that takes."""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType

from likeness.batch.journal import Item, Journal
from likeness.errors import JournalError

__all__ = ["PATIENCE", "Keeping"]

_log = logging.getLogger(__name__)

PATIENCE = 7200.0
"""Seconds after which who is still at the same item is taken for hung: a hundred megapixels, enlarged, on one slow core take
long, and so does putting a long video together."""


class Keeping:
    """Renews the lease of items while they are in work, which another process would take otherwise, and do over again; not
    of one that is in work for longer than `PATIENCE`. For several threads.

    Args:
        journal: that they were claimed from; it must be open until the end of the context.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = threading.Lock()
        self._kept: dict[int, tuple[Item, float]] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="likeness-keeping", daemon=True)

    def __enter__(self) -> Keeping:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()

    def keep(self, item: Item) -> None:
        """From now on; again, if its work gets on."""
        with self._lock:
            self._kept[item.id] = item, time.monotonic()

    def let_go(self, item: Item) -> None:
        """Of one that is given back."""
        with self._lock:
            self._kept.pop(item.id, None)

    def _renew(self) -> None:
        while not self._ended.wait(self._journal.lease / 3):
            late = time.monotonic() - PATIENCE
            with self._lock:
                items = [item for item, since in self._kept.values() if since > late]
            for item in items:
                try:
                    self._journal.renew(item)
                except JournalError as error:  # noqa: PERF203 - told when the item is given back, if it lasts
                    _log.info("%s", error)
