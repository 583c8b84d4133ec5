"""How much memory this process holds at most."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["forget_peak", "peak_megabytes"]


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


def forget_peak() -> bool:
    """Have `peak_megabytes` begin anew with what is held now; False where the system cannot (Linux alone can: proc(5))."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True
