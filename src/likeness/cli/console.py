"""What a person sees while a command works.

Messages go to stderr; stdout holds only what was asked for (a picture, a table, a path). All of it passes through `cleaned`
here: names of files, texts in them and errors of libraries are foreign, and a terminal does what their bytes say.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Generator, Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from types import TracebackType
from typing import TextIO, TypeVar

from likeness.cli.ledger import Ledger
from likeness.messages.notice import Notice, reason_of

__all__ = ["Console", "cleaned", "silence", "usable_streams"]

_Item = TypeVar("_Item")

_COMMANDS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
"""Controls of a terminal (C0 but for the tab and the end of a line, DEL, C1), marks that turn the order of reading round,
odd ends of lines, and bytes of names that are no text."""


def cleaned(text: str) -> str:
    """Text as a terminal may have it: what would command it is shown as an escape, as JSON writes it."""
    return _COMMANDS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def usable_streams() -> None:
    """Put something in the place of standard streams that were closed before the program began.

    Python has None for them, and the next file that is opened would get their number: what a library prints would end in a
    picture. To a closed standard output nothing can be written, which is told as a full disk is; what is said on a closed
    standard error is lost, as its owner wished.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if _closed(number):
            # The lowest free number is taken, which is this one.
            os.open(os.devnull, os.O_WRONLY if number == 2 else os.O_RDONLY)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False))


def _closed(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return True
    return False


def silence(stream: TextIO) -> None:
    """Send a broken stream nowhere: Python writes what is left once more at its end, and would complain."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):  # no file behind it
        return


class Console:
    """Lines on stderr, a progress bar under them, and the library's log as lines.

    Use as a context manager; inside it the log of the ``likeness`` package is shown as well.

    Args:
        verbosity: -1 shows only what went wrong, 0 warnings and results too, 1 details, 2 everything the library logs.
        arguments: the command line, from the command's name on; None where a program calls a command's function.
    """

    def __init__(self, *, verbosity: int = 0, arguments: Sequence[str] | None = None) -> None:
        self._verbosity = verbosity
        self.ledger = Ledger(arguments)
        """The files that the command line has written, and may write."""
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

    def show(self, text: str, *, painted: bool = False) -> None:
        """What was asked for, on stdout.

        Args:
            text: lines.
            painted: it holds colours of ours, and what is foreign in it was `cleaned`.

        Raises:
            BrokenPipeError: if nobody reads it.
            FileWriteError: if it cannot be written.
        """
        self._to_stdout(text if painted else cleaned(text))

    def hand_over(self, text: str) -> None:
        """A path or a table for another program: to the last bit, unless stdout is a terminal. Raises as `show`."""
        self._to_stdout(cleaned(text) if sys.stdout.isatty() else text)

    def _to_stdout(self, text: str) -> None:
        try:
            if self._bar_shown:
                from tqdm import tqdm

                tqdm.write(text, file=sys.stdout)
            else:
                print(text, flush=True)
        except BrokenPipeError:
            raise
        except OSError as error:
            from likeness.errors import FileWriteError

            silence(sys.stdout)
            raise FileWriteError(Notice("cli.output-unwritten", {"why": reason_of(error)})) from error

    def say(self, line: str) -> None:
        """A result."""
        if self.verbosity >= 0:
            self._write(line)

    def notice(self, line: str) -> None:
        """What must be read, even with ``-q``."""
        self._write(line)

    def ask(self, question: str) -> str:
        """The user's answer, stripped; empty at the end of the input."""
        self._on_stderr(f"{cleaned(question)} ", end="")
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
        if self._thread.held is not None:
            self._thread.held.append(line)
        else:
            self._on_stderr(cleaned(line))

    def _on_stderr(self, text: str, *, end: str = "\n") -> None:
        """What cannot be said is lost: that must neither end the work nor change its status."""
        try:
            if self._bar_shown:
                from tqdm import tqdm

                tqdm.write(text, file=sys.stderr, end=end)
            else:
                print(text, end=end, file=sys.stderr, flush=True)
        except OSError:
            silence(sys.stderr)


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
