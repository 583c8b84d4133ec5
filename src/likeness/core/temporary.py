"""Temporary folders that the next process of their kind removes where their own was killed."""

from __future__ import annotations

import os
import re
import shutil
import socket
import stat
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from likeness.core.locking import try_lock

__all__ = ["temporary_folder"]

_LOCK = ".owner"
"""A file in each, which its process holds the lock of: the system opens it when that ends, however it ends."""

_OLD = 3600.0
"""Seconds after which a folder's process has certainly locked it."""


@contextmanager
def temporary_folder(kind: str) -> Generator[Path]:
    """A folder among the system's temporary ones, removed at the end.

    Before, those of this kind, user and machine are removed whose process is no more. Of another machine that shares the
    temporary folder, or another user, nothing is touched.

    Args:
        kind: what it is for; part of its name.

    Raises:
        OSError: if it cannot be made.
    """
    # Without "-", so that no machine's name begins with that of another.
    prefix = f"likeness-{kind}-{re.sub('[^A-Za-z0-9.]', '_', socket.gethostname())}-"
    _remove_dead(prefix)
    with tempfile.TemporaryDirectory(prefix=prefix) as name:
        folder = Path(name)
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            try_lock(descriptor)
            yield folder
        finally:
            os.close(descriptor)  # before the folder goes, as Windows removes no open file


def _remove_dead(prefix: str) -> None:
    latest = time.time() - _OLD
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with suppress(OSError):  # what stays is tried again the next time
            found = folder.lstat()
            own = not hasattr(os, "getuid") or found.st_uid == os.getuid()
            if own and stat.S_ISDIR(found.st_mode) and _is_dead(folder / _LOCK, latest):
                shutil.rmtree(folder, ignore_errors=True)


def _is_dead(lock: Path, latest: float) -> bool:
    """
    Raises:
        OSError: if there is no such file, so that nothing is known of its process.
    """
    if lock.stat().st_mtime > latest:
        return False
    descriptor = os.open(lock, os.O_RDWR)
    try:
        return try_lock(descriptor)
    finally:
        os.close(descriptor)
