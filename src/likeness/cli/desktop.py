"""A notice on the desktop, by the program that the system has for it."""

from __future__ import annotations

import shutil
import subprocess
import sys

__all__ = ["show_on_desktop"]

_PROGRAMS = {
    "linux": ("notify-send", "--app-name=Likeness", "--icon=likeness"),
    "darwin": (
        *("osascript", "-e", "on run texts", "-e"),
        *("display notification (item 2 of texts) with title (item 1 of texts)", "-e", "end run"),
    ),
}
"""By `sys.platform`; title and text follow."""

_SECONDS = 10
"""How long the program may take; it only hands the notice over."""


def show_on_desktop(title: str, text: str) -> str:
    """Show it.

    Returns:
        "" if it was handed over, else why not, as the end of a sentence.
    """
    command = _PROGRAMS.get(sys.platform)
    if command is None:
        return "this system has no program for it"
    program = shutil.which(command[0])
    if program is None:
        return f"there is no {command[0]}"
    try:
        done = subprocess.run(
            [program, *command[1:], title, text],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{command[0]} failed ({error})"
    said = done.stderr.strip() or f"status {done.returncode}"
    return f"{command[0]} failed ({said})" if done.returncode else ""
