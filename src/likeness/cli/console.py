"""What a person sees while a command works.

Messages go to stderr; stdout holds only what was asked for (a picture, a table, a path).
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Generator, Iterable, Iterator, Sized
from contextlib import contextmanager
from types import TracebackType
from typing import TypeVar

__all__ = ["Console"]

_Item = TypeVar("_Item")


class Console:
    """Lines on stderr, a progress bar under them, and the library's log as lines.

    Use as a context manager; inside it the log of the ``likeness`` package is shown as well.

    Args:
        verbosity: -1 shows only what went wrong, 0 warnings and results too, 1 details, 2 everything the library logs.
    """

    def __init__(self, *, verbosity: int = 0) -> None:
        self._verbosity = verbosity
        self._thread = _ThreadState()
        self._bar_shown = False
        self._handler = _LogLines(self)

    def __enter__(self) -> Console:
        logger = logging.getLogger("likeness")
        self._level = logger.level
        logger.setLevel(self._log_level)
        logger.addHandler(self._handler)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        logger = logging.getLogger("likeness")
        logger.removeHandler(self._handler)
        logger.setLevel(self._level)

    @property
    def subject(self) -> str:
        """What this thread is working on; put before the library's log lines."""
        return self._thread.subject

    @subject.setter
    def subject(self, value: str) -> None:
        self._thread.subject = value

    @contextmanager
    def held(self) -> Generator[list[str]]:
        """Keep the lines of this thread back, for `release` to show when their turn comes."""
        lines: list[str] = []
        self._thread.held = lines
        try:
            yield lines
        finally:
            self._thread.held = None

    def release(self, lines: Iterable[str]) -> None:
        """Show lines that were held."""
        for line in lines:
            self._write(line)

    @property
    def verbosity(self) -> int:
        return self._verbosity

    @verbosity.setter
    def verbosity(self, value: int) -> None:
        """Commands set it once they have parsed their arguments, that is inside the context."""
        self._verbosity = value
        logger = logging.getLogger("likeness")
        if self._handler in logger.handlers:
            logger.setLevel(self._log_level)

    @property
    def _log_level(self) -> int:
        return {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}.get(self._verbosity, logging.DEBUG)

    @property
    def verbose(self) -> bool:
        return self.verbosity > 0

    def show(self, text: str) -> None:
        """What was asked for, on stdout."""
        text = _writable(text)
        if self._bar_shown:
            from tqdm import tqdm

            tqdm.write(text, file=sys.stdout)
        else:
            print(text, flush=True)

    def say(self, line: str) -> None:
        """A result."""
        if self.verbosity >= 0:
            self._write(line)

    def notice(self, line: str) -> None:
        """What must be read, even with ``-q``."""
        self._write(line)

    def ask(self, question: str) -> str:
        """The user's answer, stripped; empty at the end of the input."""
        print(question, end=" ", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip()

    def detail(self, line: str) -> None:
        """Something that only ``-v`` shows."""
        if self.verbose:
            self._write(line)

    def warn(self, sentence: str) -> None:
        if self.verbosity >= 0:
            self._write(f"warning: {sentence}")

    def error(self, sentence: str) -> None:
        self._write(f"error: {sentence}")

    def unexpected(self, error: BaseException, *, subject: str = "") -> None:
        """An error that nobody foresaw, that is a bug: named as such, its traceback only with ``-v``."""
        what = f"{subject}: " if subject else ""
        hint = "the lines above show where" if self.verbose else "-v shows where"
        if self.verbose:
            self._write("".join(traceback.format_exception(error)).rstrip())
        self.error(f"{what}unexpected {type(error).__name__}: {error} (a bug in Likeness; {hint})")

    @contextmanager
    def progress(self, items: Iterable[_Item], *, unit: str, total: int | None = None) -> Generator[Iterator[_Item]]:
        """The items one by one, with a progress bar if stderr is a terminal and there is more than one.

        The bar is gone before the context ends, however it ends. ``total`` says how many there are where ``items`` cannot.
        """
        if total is None:
            total = len(items) if isinstance(items, Sized) else 0
        if total < 2 or self.verbosity < 0 or not sys.stderr.isatty():
            yield iter(items)
            return
        from tqdm import tqdm

        # tqdm's own iterator would show an item as done as soon as the next is asked for; that is what is wanted here.
        bar = tqdm(items, total=total, unit=unit, file=sys.stderr, dynamic_ncols=True, leave=False)
        self._bar_shown = True
        try:
            yield iter(bar)
        finally:
            self._bar_shown = False
            bar.close()

    def _write(self, line: str) -> None:
        line = _writable(line)
        if self._thread.held is not None:
            self._thread.held.append(line)
        elif self._bar_shown:
            from tqdm import tqdm

            tqdm.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr, flush=True)


def _writable(text: str) -> str:
    """File names that are no UTF-8 reach a program with lone surrogates, which no stream takes."""
    return text.encode(errors="backslashreplace").decode()


class _ThreadState(threading.local):
    """What each thread has of its own."""

    subject = ""
    held: list[str] | None = None


class _LogLines(logging.Handler):
    """Shows log records as lines of a console."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        subject = self._console.subject
        if subject and subject not in message:
            message = f"{subject}: {message}"
        if record.levelno < logging.WARNING:
            self._console.detail(message)
        else:
            self._console.warn(message)
