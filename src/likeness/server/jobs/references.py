"""Other photographs of the persons in a job's pictures: read once for all of them, and forgotten with the job."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from likeness.reference.references import References
from likeness.server.api.restoring import make_references
from likeness.server.http.state import ServerState

__all__ = ["JobReferences"]

_KEPT = 4
"""Jobs whose photographs are kept ready."""


class JobReferences:
    """Those of all jobs. Safe to use from several threads.

    Args:
        state: the application's.
    """

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, bool], References] = OrderedDict()

    def of(self, job: str, folder: Path, *, trusted: bool) -> References | None:
        """The photographs in a job's folder; None if it has none."""
        with self._lock:
            made = self._kept.get((job, trusted))
            if made is None:
                files = sorted(folder.iterdir()) if folder.is_dir() else []
                made = make_references(self._state, files, trusted=trusted)
            if made is not None:
                self._kept[job, trusted] = made
                self._kept.move_to_end((job, trusted))
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            return made

    def forget(self, job: str) -> None:
        """Let go of those of a job."""
        with self._lock:
            for trusted in (False, True):
                self._kept.pop((job, trusted), None)
