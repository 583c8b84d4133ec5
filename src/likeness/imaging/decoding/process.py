"""A process that reads files of strangers, as its owner sees it: what every one has, and the one that decodes pictures."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from likeness.errors import DecoderError
from likeness.imaging.decoding.child import OVERTIME
from likeness.imaging.decoding.wire import Channel, Segment, WireError, unpack
from likeness.messages.notice import Notice, notice_of

__all__ = ["ConfinedProcess", "DecoderDeathError", "DecoderProcess", "OvertimeError", "UnansweredError"]

_START_SECONDS = 300.0
"""The longest time for a process to start, by the clock: part of a second, where the machine is not too busy."""

_KEPT_SEGMENT = 64 << 20
"""Bytes of shared memory that a process keeps between two pictures: those of 21 megapixels."""

_FROM_OUTSIDE = frozenset({signal.SIGHUP, signal.SIGINT, signal.SIGKILL, signal.SIGTERM})

_PROGRAM = """\
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from likeness.MODULE import main
main(int(sys.argv[2]), int(sys.argv[3]))
"""

# What a Python and its libraries may need to start. Everything else, keys and passwords above all, is no decoder's matter.
_ENVIRONMENT = ("DYLD_FALLBACK_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LD_LIBRARY_PATH", "PATH", "TZ")
# One thread for linear algebra, which decoders do not use: each takes memory for itself.
_THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class DecoderDeathError(Exception):
    """The process ended while it worked on a file; the message is such as "signal 11".

    Attributes:
        by_itself: whether it did not end by a signal that people and the system send to stop a process.
    """

    def __init__(self, how: str, *, by_itself: bool) -> None:
        super().__init__(how)
        self.by_itself = by_itself


class OvertimeError(Exception):
    """The process ended, as a file took more of its processor time than it may."""


class UnansweredError(Exception):
    """The process was killed, as it gave no answer for so long by the clock, which says nothing about the file alone."""


class ConfinedProcess:
    """A process that is being started, and can be asked at once; for one thread at a time.

    Args:
        module: of this package, whose ``main`` it runs with the numbers of the socket's end and of the lifeline; that calls
            `likeness.imaging.decoding.child.confine`, and sends a message when it is ready.

    Raises:
        DecoderError: if it cannot be started.
    """

    def __init__(self, module: str) -> None:
        self._owner = os.getpid()
        self._ready = False
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        held, self._lifeline = os.pipe()
        self._said, said = os.pipe()
        # What libraries say goes nowhere once the pipe is full, and never makes them wait.
        os.set_blocking(said, False)
        # Above the standard streams: where those are closed, new files get their numbers, which are others in the child.
        ends = [theirs.detach(), held, said]
        given = [fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, 3) for file in ends]
        try:
            self._child = _spawn(module, *given)
        except (OSError, ValueError) as error:
            ours.close()
            os.close(self._lifeline)
            os.close(self._said)
            raise DecoderError(
                Notice(
                    "decoder.not-started",
                    {"why": notice_of(error), "program": sys.executable or "the Python interpreter"},
                )
            ) from error
        finally:
            for file in (*ends, *given):
                os.close(file)
        self._channel: Channel | None = Channel(ours)

    @property
    def alive(self) -> bool:
        return self._child.poll() is None

    @property
    def pid(self) -> int:
        return self._child.pid

    def ready(self) -> Channel:
        """The channel to it, once it has started.

        Raises:
            DecoderError: if it did not start.
        """
        assert self._channel is not None
        if not self._ready:
            try:
                self._channel.receive(within=_START_SECONDS)
            except (EOFError, OSError, WireError) as error:
                raise DecoderError(
                    Notice("decoder.ended", {"why": self.end(patience=5.0) or notice_of(error)})
                ) from error
            self._ready = True
        return self._channel

    def died(self, error: Exception) -> DecoderDeathError | OvertimeError:
        """How it ended, when it has just hung up; it is given back with that."""
        how = self.end(patience=5.0) or str(error)
        ended_by = -(self._child.returncode or 0)
        if ended_by == OVERTIME:
            return OvertimeError()
        return DecoderDeathError(how, by_itself=ended_by not in _FROM_OUTSIDE)

    def end(self, *, patience: float = 0.0) -> str:
        """End it, and give back what is held. May be called twice.

        Args:
            patience: seconds for it to end by itself, as when it has just hung up.

        Returns:
            How it ended: "signal 11", or the last line that it said; "" if neither is known.
        """
        if self._channel is None or self._owner != os.getpid():  # after a fork it is the parent's
            return ""
        self._channel.close()
        self._channel = None
        try:
            code = self._child.wait(patience) if patience else None
        except subprocess.TimeoutExpired:
            code = None
        if code is None:
            self._child.kill()
            self._child.wait()
        os.close(self._lifeline)
        os.set_blocking(self._said, False)
        with os.fdopen(self._said, "rb") as stream:
            said = (stream.read() or b"").decode(errors="replace").strip().rpartition("\n")[2]
        return f"signal {-code}" if code is not None and code < 0 else said


class DecoderProcess(ConfinedProcess):
    """A process that decodes one picture after the other.

    Attributes:
        fresh: whether it was asked nothing yet.
        worn: whether it keeps so much memory that another should take its place.

    Raises:
        DecoderError: if it cannot be started.
    """

    def __init__(self) -> None:
        super().__init__("imaging.decoding.child")
        self.fresh, self.worn = True, False
        self._segment: Segment | None = None

    @contextmanager
    def asked(
        self, request: dict[str, Any], picture: bytes | int, *, patience: float, most: int
    ) -> Generator[dict[str, Any]]:
        """Have a picture decoded.

        Args:
            request: what `likeness.imaging.decoding.child` is to do.
            picture: the file's bytes, or the number of an open file.
            patience: seconds by the clock at most, over and above what the process takes to start.
            most: bytes of samples at most.

        Yields:
            The answer. The memory of its arrays is another picture's when the context ends.

        Raises:
            DecoderDeathError, OvertimeError, UnansweredError: the process has ended.
            DecoderError: if it did not start.
            WireError: for an answer that it must not give.
        """
        channel = self.ready()
        self.fresh = False
        try:
            answer = self._ask(channel, request, picture, time.monotonic() + patience, most)
        except TimeoutError:
            self.end()
            raise UnansweredError from None
        except WireError:
            self.end()
            raise
        except (EOFError, OSError) as error:
            raise self.died(error) from error
        self.worn = answer["grown"]
        try:
            yield answer
        finally:
            if self._segment is not None and self._segment.size > _KEPT_SEGMENT:
                self._drop_segment()

    def _ask(
        self, channel: Channel, request: dict[str, Any], picture: bytes | int, until: float, most: int
    ) -> dict[str, Any]:
        kept = self._segment is not None
        if isinstance(picture, int):
            channel.send({**request, "inside": None, "kept": kept}, picture)
        else:
            segment, new = self._segment_of(len(picture))
            segment.write(picture)
            channel.send({**request, "inside": len(picture), "kept": kept and not new}, segment.file if new else None)
        while True:
            message, _ = channel.receive(within=max(0.001, until - time.monotonic()))
            answer: dict[str, Any] = unpack(message, self._segment)
            if "wants" not in answer:
                return answer
            if answer["wants"] > most:
                raise WireError(f"{answer['wants']} bytes of samples")
            channel.send({}, self._segment_of(answer["wants"])[0].file)

    def _segment_of(self, size: int) -> tuple[Segment, bool]:
        """Shared memory of so many bytes, and whether it is new."""
        if self._segment is not None and self._segment.size >= size:
            return self._segment, False
        self._drop_segment()
        self._segment = Segment(size=max(1, size))
        return self._segment, True

    def _drop_segment(self) -> None:
        if self._segment is not None:
            self._segment.close()
            self._segment = None

    def end(self, *, patience: float = 0.0) -> str:
        how = super().end(patience=patience)
        if self._owner == os.getpid():
            self._drop_segment()
        return how


def _spawn(module: str, end: int, lifeline: int, said: int) -> subprocess.Popen[bytes]:
    if not sys.executable:
        raise ValueError("the Python interpreter does not know its own place")
    # Without the site module and what environment variables say of Python: the modules are looked for where this process
    # finds them, and neither a home folder nor a user's name is needed.
    paths = [str(Path(entry).absolute()) for entry in sys.path]
    return subprocess.Popen(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            _PROGRAM.replace("MODULE", module),
            json.dumps(paths),
            str(end),
            str(lifeline),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=said,
        pass_fds=(end, lifeline),
        cwd="/",
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ} | _THREADS,
        # Ctrl-C is the owner's: what is begun may be finished.
        start_new_session=True,
    )
