"""Opening what is typed or found, which may be no file at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

__all__ = ["open_file", "special_kind"]


def open_file(path: Path) -> BinaryIO:
    """Open a file to read it. Pipes that have a name, sockets and devices are refused: opening them may wait for ever, or
    reading them never end.

    Raises:
        OSError: if it cannot be opened, or is none.
    """
    # Of a named pipe that nobody writes into, only opening without waiting comes back.
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        if error.errno == errno.ENXIO:  # of sockets, and of devices that nothing stands behind
            raise OSError(errno.EINVAL, "it is a socket or a device, not a file", str(path)) from error
        raise
    try:
        mode = os.fstat(descriptor).st_mode
        # A pipe without a name comes from a shell, as in <(convert scan.tif jpg:-).
        named = stat.S_ISFIFO(mode) and Path(os.path.realpath(path)).exists()
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if named or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
            raise OSError(errno.EINVAL, f"it is a {special_kind(mode)}, not a file", str(path))
        if hasattr(os, "O_NONBLOCK"):
            os.set_blocking(descriptor, True)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def special_kind(mode: int) -> str:
    """What a path is that is neither file nor folder, by its ``st_mode``."""
    if stat.S_ISFIFO(mode):
        return "named pipe"
    return "socket" if stat.S_ISSOCK(mode) else "device"
