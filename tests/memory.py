"""The most memory that this process has held, from a moment on.

``ru_maxrss`` does not say that of a process that a test has started: it begins with what the test's own process held when it
was forked, so a difference is nothing, and a limit is broken by whoever ran before.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["forget_peak", "peak_kilobytes"]


def peak_kilobytes() -> int:
    """The most that was resident at once since the program began, or since `forget_peak`; Linux."""
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def forget_peak() -> None:
    """Begin anew at what is resident now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
