"""Ending long work cleanly on Ctrl-C and SIGTERM."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

from likeness.cli.console import Console

__all__ = ["stopping"]


@contextmanager
def stopping(
    stop: threading.Event, console: Console, *, at_once: Callable[[], object] = lambda: None
) -> Generator[None]:
    """Ctrl-C and SIGTERM set ``stop``, so that what is begun is finished; a second Ctrl-C ends at once.

    Args:
        stop: is set.
        console: where that is said.
        at_once: breaks off what other threads and processes are at, which the interrupt does not reach. It is called within
            a signal's handler, and may wait for nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, _: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            at_once()
            raise KeyboardInterrupt
        stop.set()
        console.notice("ending: the pictures that are begun are finished first (Ctrl-C again: at once)")

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
