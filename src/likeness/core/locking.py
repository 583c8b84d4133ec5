"""A lock between processes on one machine that a killed process leaves open."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["locked", "try_lock"]

_log = logging.getLogger(__name__)

_PAUSE = 0.2


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Hold an exclusive lock on ``path`` (made if need be, left behind empty); waits while another process holds it.

    The lock belongs to the open file, so the system releases it when the process ends, however it ends.

    Raises:
        OSError: if the lock file cannot be made.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        waiting = False
        while not try_lock(descriptor):
            if not waiting:
                _log.info("waiting for another process that holds %s", path)
                waiting = True
            time.sleep(_PAUSE)
        yield
    finally:
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def try_lock(descriptor: int) -> bool:
        """Lock an open file until it is closed; False at once if another holder has it."""
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def try_lock(descriptor: int) -> bool:
        """Lock an open file until it is closed; False at once if another holder has it."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
