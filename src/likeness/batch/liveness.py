"""Which workers are alive: each holds the lock of a file of its own, which the system opens when its process ends."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from likeness.core.locking import try_lock

__all__ = ["Owner", "dead_owners", "living_owners"]


class Owner:
    """A name that no other worker has, alive until `close` or the end of the process, however it ends.

    Args:
        folder: where the owners' files are; made if need be.

    Raises:
        OSError: if the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        while True:
            self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(6)}"
            self._path = folder / self.name
            self._descriptor = _create(self._path)
            # Who looks for the living just now takes a file without its lock for a dead one's, and removes it.
            if try_lock(self._descriptor) and self._path.exists():
                break
            os.close(self._descriptor)
            with suppress(OSError):
                self._path.unlink()
        self.closed = False

    def close(self) -> None:
        """Die."""
        if self.closed:
            return
        self.closed = True
        os.close(self._descriptor)
        with suppress(OSError):
            self._path.unlink()
        with suppress(OSError):  # others may be alive
            self._path.parent.rmdir()


def _create(path: Path) -> int:
    while True:
        # Not mkdir(exist_ok=True): that looks again for what it found, and the last of the others may have removed it.
        with suppress(FileExistsError):
            path.parent.mkdir()
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        except FileNotFoundError:  # the last of the others has just removed the folder
            if not path.parent.parent.is_dir():
                raise


def living_owners(folder: Path) -> list[str]:
    """Names of the workers of this machine that are alive."""
    here = f"{socket.gethostname()}-"
    try:
        names = sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        return []
    return [name for name in names if name.startswith(here) and not _is_dead(folder / name)]


def dead_owners(folder: Path, names: Sequence[str]) -> list[str]:
    """Those of the names whose process on this machine is no more; their files are removed.

    Of another machine's worker nothing can be said: it is not among them, and its lease has to run out.
    """
    here = f"{socket.gethostname()}-"
    return [name for name in names if name.startswith(here) and _is_dead(folder / name)]


def _is_dead(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        if not try_lock(descriptor):
            return False
        with suppress(OSError):
            path.unlink()
        return True
    finally:
        os.close(descriptor)
