"""The decoder process itself: it decodes one file after the other for its owner, and ends with it.

It is started as a program of its own, never forked: it holds no lock, thread, socket or file of its owner but the two ends
that it is given, cannot write files, and leaves no core dump of somebody's photograph.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import logging
import os
import resource
import select
import signal
import socket
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any, BinaryIO

from likeness.imaging.decoding.wire import Channel, Segment, pack, unpack
from likeness.messages.notice import Notice, catalogue, notice_of

__all__ = ["OVERTIME", "confine", "limit_memory", "limit_processor_time", "main"]

OVERTIME = signal.SIGPROF
"""The signal that ends a process whose file has taken all the processor time that it may (`limit_processor_time`)."""

_MOST_RECORDS = 50
"""Lines of the log that one file may cause."""

_KEPT = 256 << 20
"""Bytes that a process may have grown by between two pictures before it is replaced."""


def main(end: int, lifeline: int) -> None:
    """Decode until the owner hangs up.

    Args:
        end: of the socket pair.
        lifeline: a pipe whose other end only the owner holds, and which closes with it.
    """
    confine(lifeline)
    channel = Channel(socket.socket(fileno=end))
    # What takes long is imported after the owner can see that the process lives, and before the first file is asked for.
    from likeness.imaging.decode import decode_samples

    catalogue("en")  # read now, as a file's limits may leave no memory for it
    channel.send(("ready",))
    worker = _Worker(channel, decode_samples)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            worker.serve()


def confine(lifeline: int, *, writes: bool = False) -> None:
    """Have this process end with its owner, be the first to go when memory is short, leave no core dump, and write no files.

    Args:
        lifeline: as in `main`.
        writes: whether it may write files all the same.
    """
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not writes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    with contextlib.suppress(OSError):
        # If the machine runs out of memory, this process goes first, and the one that has the work of hours stays.
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    # The kernel sends SIGIO when the lifeline closes, that is when the owner is gone, however it went. It ends the process
    # also in the middle of a decoder that holds the interpreter's lock.
    if sys.platform == "linux":
        signal.signal(signal.SIGIO, signal.SIG_DFL)
    else:  # where it is ignored by default
        signal.signal(signal.SIGIO, lambda *_: os._exit(0))
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([lifeline], [], [], 0)[0]:
        os._exit(0)


class _Worker:
    """Answers one request after the other."""

    def __init__(self, channel: Channel, decode: Any) -> None:
        self._channel, self._decode = channel, decode
        self._segment: Segment | None = None
        self._records = _Records()
        logging.getLogger().addHandler(self._records)
        logging.getLogger().setLevel(logging.INFO)
        logging.captureWarnings(True)
        warnings.simplefilter("always")
        self._start = _data_bytes()

    def serve(self) -> None:
        message, file = self._channel.receive()
        request: dict[str, Any] = unpack(message)
        if not request["kept"]:
            self._drop()
        if request["inside"] is not None:
            self._take(file)
            assert self._segment is not None
            stream: BinaryIO = io.BytesIO(self._segment.read(request["inside"]))
        else:
            assert file is not None
            raw = io.FileIO(file)
            raw.name = request["name"]  # libraries take a number for none
            stream = io.BufferedReader(raw)
        self._records.lines.clear()
        with stream:
            answer: dict[str, Any]
            limit_processor_time(request["seconds"])
            try:
                answer = {"decoded": self._decoded(stream, request)}
            except Exception as error:
                answer = {"error": _told(error)}
        answer["log"] = list(self._records.lines)
        answer["grown"] = _data_bytes() - self._start > _KEPT
        self._answer(answer)
        limit_processor_time(0)

    def _decoded(self, stream: BinaryIO, request: dict[str, Any]) -> Any:
        from likeness.errors import ImageReadError, ImageTooLargeError
        from likeness.imaging.decode import decoder_of
        from likeness.imaging.develop import try_profile

        kind, name, most = request["kind"], request["name"], request["max_pixels"]
        decoder_of(kind)  # imported now: the limits are for the file
        # The size is looked at under a small limit: what a header costs must not depend on what the file says.
        room, pixels = request["room"], 0
        try:
            limit_memory(room)
            try:
                decoded = self._decode(stream, kind=kind, name=name, max_pixels=0)
            except ImageTooLargeError as error:
                pixels = min(error.pixels or most, most)
                room += pixels * request["room_per_pixel"]
                limit_memory(room)
                decoded = self._decode(stream, kind=kind, name=name, max_pixels=most)
            if decoded.icc_profile is not None:
                try_profile(decoded)
        except (ImageReadError, MemoryError) as error:
            if not isinstance(error.__cause__ or error, MemoryError):
                raise
            values = {"name": name, "room": room >> 20, "megapixels": pixels / 1e6}
            raise ImageReadError(Notice("image.costly", values)) from error
        return decoded

    def _take(self, file: int | None) -> None:
        """Memory that the owner offers in the place of what there is; None keeps that."""
        if file is not None:
            self._drop()
            self._segment = Segment(file)

    def _drop(self) -> None:
        if self._segment is not None:
            self._segment.close()
            self._segment = None

    def _answer(self, answer: dict[str, Any]) -> None:
        message, arrays, size = pack(answer)
        if size > (self._segment.size if self._segment else 0):
            self._channel.send({"wants": size})
            _, file = self._channel.receive()
            self._take(file)
        for offset, array in arrays:
            assert self._segment is not None
            self._segment.array(offset, array.shape, array.dtype)[...] = array
        self._channel.send(message)


def _told(error: Exception) -> dict[str, Any]:
    from likeness.errors import ImageError

    documented = isinstance(error, ImageError)
    return {
        "kind": type(error).__name__,
        "sentence": str(error),
        "notice": notice_of(error).to_dict(),
        "pixels": getattr(error, "pixels", None),
        "traceback": "" if documented else "".join(traceback.format_exception(error)),
    }


def limit_memory(room: int) -> None:
    """Bound the memory by what is in use and ``room`` more bytes, where the system can (Linux)."""
    used = _data_bytes()
    if used:
        resource.setrlimit(resource.RLIMIT_DATA, (used + room, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def limit_processor_time(seconds: float) -> None:
    """Have this process ended by `OVERTIME` when it has used so many more seconds of processor time, all its threads
    together, also in the middle of a decoder; 0 lifts that. The clock would blame a file for what else the machine does."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


def _data_bytes() -> int:
    """Bytes of private writable memory, as RLIMIT_DATA counts them; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5]) * resource.getpagesize()
    except OSError:
        return 0


class _Records(logging.Handler):
    """Keeps the log for the owner, which has its own mind about what is shown."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[tuple[str, int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        if len(self.lines) < _MOST_RECORDS:
            self.lines.append((record.name, record.levelno, record.getMessage()))
