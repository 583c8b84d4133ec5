"""Videos of strangers, read in processes of their own.

Demuxers and decoders are large programs in C, and files are made to break them. So whatever reads a stranger's video runs
in a process that may write nothing (but the result), has a limit of memory, and can be ended at any time: for a file that
makes it take too long, and for work that nobody wants any more. What crashes it is told in one sentence. A process serves
one piece of work: it takes half a second to start, and a video takes longer.
"""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from likeness.compute.cancellation import checkpoint
from likeness.errors import ConfigError, DecoderError, FileWriteError, LikenessError, MissingExtraError, VideoError
from likeness.messages.notice import Notice
from likeness.video.clip import Clip, Limits
from likeness.video.encoders import Encoding
from likeness.video.files import HERE, VideoFiles
from likeness.video.frames import Frame
from likeness.video.segments import Segment

if TYPE_CHECKING:
    from likeness.imaging.decoding.process import ConfinedProcess

__all__ = ["files_apart", "renamed"]

_SECONDS = 60.0
"""Processor time for a frame, or a header, at most."""
_WRITE_SECONDS = 1800.0
"""The same for putting a result together: everything is encoded by then."""
_PATIENCE = 600.0
"""The longest pause between two frames, or before a header is read, by the clock: a busy machine gives a process little."""
_WRITE_PATIENCE = 3600.0
"""The same for putting a result together."""
_SLICE = 0.25
"""So often somebody looks whether the work is still wanted, s."""

_HEADERS = 64 << 20
"""Bytes that a result may have over and above what is put together: its own headers and index."""

_ROOM = 768 << 20
_ROOM_PER_PIXEL = 160
"""Bytes of memory: for libraries and threads, and for each pixel that a frame may have. Decoders keep up to 16 frames to
look back at, each thread has one in work, and a sample takes two bytes where it is deep."""

_KINDS = frozenset(
    {
        ("fractions", "Fraction"),
        ("likeness.messages.notice", "Notice"),
        ("likeness.video.clip", "OtherStream"),
        ("likeness.video.planes", "Colours"),
        ("likeness.video.planes", "Layout"),
    }
)
"""What a clip is made of beside plain values."""

_ERRORS: dict[str, type[LikenessError]] = {
    error.__name__: error for error in (VideoError, ConfigError, FileWriteError, MissingExtraError)
}


def files_apart(
    name: str, *, seconds: float = _SECONDS, patience: float = _PATIENCE, pixels: int = Limits.pixels
) -> VideoFiles:
    """What reads a video in processes of their own, where the system has what that takes (not Windows); else here.

    Args:
        name: what sentences call the video.
        seconds: processor time for a header, or for one frame, at most.
        patience: seconds that one is waited for at most.
        pixels: of a frame at most, which decides about memory.
    """
    possible = os.name == "posix"
    return _Apart(name, _Times(seconds, patience), _ROOM + _ROOM_PER_PIXEL * pixels) if possible else HERE


def renamed(notice: Notice, name: str) -> Notice:
    """What is said of a video, under another name."""
    return Notice(notice.code, {**notice.values, "file": name}) if "file" in notice.values else notice


class _StoppedError(Exception):
    """A process was stopped by a signal from outside, such as "signal 9"."""


class _Times(NamedTuple):
    """What an answer may take at most."""

    processor: float
    clock: float


class _Apart:
    def __init__(self, name: str, times: _Times, room: int) -> None:
        self._name = name
        self._times = times
        self._room = room

    def open(self, path: Path, limits: Limits) -> Clip:
        with self._asked("open", self._times, {"path": path.absolute(), "limits": limits}) as answers:
            ((_, values),) = answers
            expected = {field.name for field in fields(Clip)} - {"path"}
            if set(values) != expected:
                raise self._crashed("a wrong answer")
            return Clip(path=path, **values)

    def rehearse(self, clip: Clip, target: Path, encoding: Encoding) -> None:
        values = {"clip": _found(clip), "target": target.absolute(), "encoding": encoding}
        with self._asked("rehearse", self._times, values) as answers:
            for _ in answers:
                raise self._crashed("a wrong answer")

    def frames(self, clip: Clip, *, begin: float, end: float | None, limits: Limits | None) -> Generator[Frame]:
        values = {"clip": _found(clip), "begin": begin, "end": end, "limits": limits}
        with self._asked("frames", self._times, values) as answers:
            for _, index, pts, duration, planes in answers:
                dtype = np.dtype(clip.colours.layout.dtype).str
                if any(kind != dtype for _, _, kind in planes):
                    raise self._crashed("a wrong answer")
                samples = tuple(np.frombuffer(data, kind).reshape(shape) for data, shape, kind in planes)
                yield Frame(index=index, planes=samples, clip=clip, pts=pts, duration=duration)

    def write(
        self,
        clip: Clip,
        target: Path,
        path: Path,
        encoding: Encoding,
        segments: Sequence[Segment],
        *,
        begin: float,
        end: float | None,
    ) -> None:
        values = {
            "clip": _found(clip),
            "target": target.absolute(),
            "path": path.absolute(),
            "encoding": encoding,
            "folder": segments[0].path.parent.absolute(),
            "begin": begin,
            "end": end,
        }
        # Sound and subtitles are copied, and a file may name the same bytes many times.
        written = _HEADERS + sum(file.stat().st_size for file in (clip.path, *(segment.path for segment in segments)))
        with self._asked("write", _Times(_WRITE_SECONDS, _WRITE_PATIENCE), values, written) as answers:
            for _ in answers:
                raise self._crashed("a wrong answer")

    @contextmanager
    def _process(self) -> Generator[ConfinedProcess]:
        from likeness.imaging.decoding.process import ConfinedProcess

        process = ConfinedProcess("video.child")
        try:
            yield process
        finally:
            process.end()

    def _asked(
        self, work: str, times: _Times, values: dict[str, Any], written: int = 0
    ) -> closing[Generator[tuple[Any, ...]]]:
        """What a process says; as a context, that ends it."""
        return closing(self._twice(work, times, written, values))

    def _twice(self, work: str, times: _Times, written: int, values: dict[str, Any]) -> Generator[tuple[Any, ...]]:
        """A process that somebody stopped, or the system for want of memory, is begun once more, and what it has said before
        is passed over.

        Raises:
            DecoderError: if that is stopped as well; the file is not to blame.
        """
        said = 0
        for last in (False, True):
            try:
                with self._process() as process:
                    for number, answer in enumerate(self._answers(process, work, times, written, values)):
                        if number >= said:
                            said += 1
                            yield answer
                return
            except _StoppedError as error:  # noqa: PERF203 - once a process
                if last:
                    raise DecoderError(Notice("video.stopped", {"file": self._name, "death": str(error)})) from error

    def _answers(
        self, process: ConfinedProcess, work: str, times: _Times, written: int, values: dict[str, Any]
    ) -> Generator[tuple[Any, ...]]:
        """What the process says until it is done.

        Raises:
            LikenessError: if that is an error; if it dies, or takes too long.
            WorkCancelled: if nobody wants it any more.
            _StoppedError: if it was stopped from outside.
        """
        from likeness.imaging.decoding.process import OvertimeError
        from likeness.imaging.decoding.wire import WireError, unpack

        channel = process.ready()
        try:
            channel.send(pickle.dumps((work, self._room, times.processor, written, values), 5))
            while True:
                until = time.monotonic() + times.clock
                while not channel.waits(_SLICE):
                    checkpoint()
                    if time.monotonic() > until:
                        raise TimeoutError
                message, _ = channel.receive(within=times.clock)
                answer = unpack(message, kinds=_KINDS)
                kind = answer[0]
                if kind == "done":
                    return
                if kind == "memory":
                    raise VideoError(Notice("video.costly", {"file": self._name, "room": self._room >> 20}))
                if kind == "error":
                    _, error, sentence, record = answer
                    raise _ERRORS.get(error, VideoError)(renamed(Notice.of(sentence, record), self._name))
                yield answer
        except TimeoutError:
            raise DecoderError(Notice("video.waited", {"file": self._name, "seconds": times.clock})) from None
        except (WireError, ValueError, TypeError, LookupError) as error:
            raise self._crashed(str(error) or type(error).__name__) from error
        except (EOFError, ConnectionError) as error:
            death = process.died(error)
            if isinstance(death, OvertimeError):
                values = {"file": self._name, "seconds": times.processor}
                raise VideoError(Notice("video.slow", values)) from None
            raise (self._crashed(str(death)) if death.by_itself else _StoppedError(str(death))) from error

    def _crashed(self, how: str) -> VideoError:
        return VideoError(Notice("video.crashes", {"file": self._name, "death": how}))


def _found(clip: Clip) -> Clip:
    """A clip whose file is found from any folder."""
    return replace(clip, path=clip.path.absolute())
