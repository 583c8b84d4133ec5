"""The file of ``likeness edit`` on the disk: other programs may be at it while a person works."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from likeness.cli.ledger import Stamp, stamp_of
from likeness.compute.cancellation import WorkCancelled
from likeness.errors import ImageWriteError
from likeness.imaging.image import Image
from likeness.messages.notice import Notice
from likeness.server.live.editing import Editing, Ending

__all__ = ["EditedFile"]


class EditedFile(Editing):
    """What is edited, and where it goes; see `Editing`.

    Args:
        image, name, target, on_end: as there.
        before: what was at the target when the picture was read (`stamp_of`).
        overwrite: whether what others put in the target's place while the page is open may be replaced.
    """

    def __init__(
        self,
        image: Image,
        name: str,
        target: Path,
        *,
        before: Stamp | None,
        overwrite: bool,
        on_end: Callable[[Ending], None],
    ) -> None:
        super().__init__(image, name, target, on_end=on_end)
        self.saved = False
        """Whether it was saved."""
        self._overwrite = overwrite
        self._before = before
        self._writing = threading.Lock()
        self._closed = False

    def save(self, after: Image) -> None:
        """Write it.

        Raises:
            ImageWriteError: if that cannot be done, or another program has written the file meanwhile; it may be tried
                again.
            WorkCancelled: if the command is over.
        """
        with self._writing:
            if self._closed:
                raise WorkCancelled
            now = stamp_of(self.target)
            if not self._overwrite and now is not None and now != self._before:
                raise ImageWriteError(Notice("edit.changed", {"path": str(self.target)}))
            super().save(after)
            self.saved = True

    def close(self) -> None:
        """Wait for what is being written; nothing is written after it."""
        with self._writing:
            self._closed = True
