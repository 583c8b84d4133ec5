"""How much memory this process holds at most, and what becomes of memory that is given back."""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path

__all__ = ["available", "forget_peak", "keep_freed", "peak_megabytes"]

_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
"""Of glibc's ``mallopt``."""


def peak_megabytes() -> float | None:
    """The most memory that this process has held at once, MB of 10^6 bytes; None where the system does not tell."""
    # On Linux ru_maxrss begins at the size of the program that started this one; VmHWM is the process's own.
    status = Path("/proc/self/status")
    if status.is_file():
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
        return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM")), None)
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return None


def available() -> int:
    """Bytes of memory that new programs may take; 0 where that is not told (Linux alone tells: proc(5))."""
    with suppress(OSError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 0


def forget_peak() -> bool:
    """Have `peak_megabytes` begin anew with what is held now; False where the system cannot (Linux alone can: proc(5))."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def keep_freed(*, one_heap: bool = True) -> bool:
    """Have this process keep memory that is given back for what is wanted next; False where the C library is not glibc.

    Otherwise each large array comes from the system anew, page by page, and goes back there: for pictures of 12 megapixels
    that is a fifth to a third of the processor's time. The most that the process holds stays about the same, but it holds
    that until it ends: this is for programs that work on one picture after another, or on one step of a training, and end.

    Args:
        one_heap: for all threads, as those of their own are too small for pictures, and shrink by other rules; then it is to
            be called before any thread begins.
    """
    if sys.platform != "linux":
        return False
    try:
        libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (OSError, ValueError):  # another C library
        return False
    if not libc.startswith("glibc"):
        return False
    library = ctypes.CDLL(None)
    settings = [(_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), *([(_ARENA_MAX, 1)] if one_heap else [])]
    return all(library.mallopt(name, value) == 1 for name, value in settings)
