"""The end of a command that is a program of its own."""

from __future__ import annotations

import atexit
import os
import sys
import threading

__all__ = ["leave"]


def leave(status: int) -> None:
    """End the process without taking apart what it holds.

    To free networks, arrays and modules one by one takes as long as to lay a face back; the system takes all of it at once.
    Threads that work are waited for, what is to be done at the end of a program is done, and all that was said is written,
    as Python itself does it (and as `multiprocessing` ends its children). Returns only where a standard stream is broken:
    then Python is to say so at its own end.
    """
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except (OSError, ValueError):
        return
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage]
    os._exit(status)
