"""How much memory this process holds at most, and what becomes of memory that is given back."""

from __future__ import annotations

import ctypes
import gc
import mmap
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "available",
    "collect_from_now_on",
    "forget_peak",
    "keep_freed",
    "pages_dropped",
    "peak_megabytes",
    "return_freed",
]

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
    if not _is_glibc():
        return False
    library = ctypes.CDLL(None)
    settings = [(_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), *([(_ARENA_MAX, 1)] if one_heap else [])]
    return all(library.mallopt(name, value) == 1 for name, value in settings)


def return_freed() -> None:
    """Have the system take back what is free in this process; nothing happens where the C library is not glibc.

    For the moment before something large is made that would lie beside it.
    """
    if _is_glibc():
        ctypes.CDLL(None).malloc_trim(0)


def _is_glibc() -> bool:
    if sys.platform != "linux":
        return False
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (OSError, ValueError):  # another C library
        return False


def collect_from_now_on() -> None:
    """Have Python's collector, where it was turned off, look for garbage again, but not in what there is: that stays."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def pages_dropped(content: NDArray[np.uint8]) -> bool:
    """Have the system forget the pages of a mapped file that were read, which come from the file again when wanted.

    Until then they count as memory of the process. What was written to them is lost. False where the system is not Linux.
    """
    if sys.platform != "linux":
        return False
    skipped = -content.ctypes.data % mmap.PAGESIZE
    pages = (content.nbytes - skipped) // mmap.PAGESIZE * mmap.PAGESIZE
    if pages <= 0:
        return True
    library = ctypes.CDLL(None, use_errno=True)
    return (
        library.madvise(ctypes.c_void_p(content.ctypes.data + skipped), ctypes.c_size_t(pages), mmap.MADV_DONTNEED) == 0
    )
