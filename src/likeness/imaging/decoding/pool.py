"""The pool of decoder processes: reading pictures of strangers without being taken along by them."""

from __future__ import annotations

import contextlib
import io
import logging
import math
import os
import threading
import weakref
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from likeness.errors import ConfigError, DecoderError, ImageError, ImageReadError, ImageTooLargeError, RawImageError
from likeness.imaging.decode import decode_image
from likeness.imaging.decoded import Decoded, raw_file
from likeness.imaging.files import DEFAULT_MAX_PIXELS, PictureSource, open_picture
from likeness.imaging.image import Image
from likeness.imaging.sniff import FORMATS_READ
from likeness.messages.notice import Notice

if TYPE_CHECKING:
    from likeness.imaging.decoding.process import DecoderProcess

__all__ = ["DecoderLimits", "DecoderPool"]

_log = logging.getLogger(__name__)

_ROOM = 96 << 20
"""Bytes for what does not depend on the size of a picture: libraries, tables, the threads of a decoder."""

_ROOM_PER_PIXEL = 48
"""Most bytes that a picture takes while it is decoded: its 16-bit samples with alpha five times, in libheif's hands, its
binding's and ours, and some to spare. JPEG takes 8."""

_SAMPLES_PER_PIXEL = 8 + 2
"""Bytes: 16-bit samples of four channels, and what aligns them."""

_ERRORS: dict[str, type[ImageReadError]] = {"ImageReadError": ImageReadError, "RawImageError": RawImageError}


@dataclass(frozen=True, kw_only=True)
class DecoderLimits:
    """What a file may cost before its decoder process is ended.

    Attributes:
        seconds: processor time for one file at most, all threads of its decoder together.
        patience: seconds that a file is waited for at most, by the clock: a busy machine gives a process little of its time.
        room: bytes of memory besides the file's own and those that its number of pixels explains.
        room_per_pixel: bytes of memory for each pixel, as far as ``max_pixels`` lets it have them.
        formats: the formats that are read, names of `likeness.imaging.sniff.FORMATS_READ`.

    Raises:
        ConfigError: for a value that cannot be used.
    """

    seconds: float = 60.0
    patience: float = 600.0
    room: int = _ROOM
    room_per_pixel: int = _ROOM_PER_PIXEL
    formats: frozenset[str] = FORMATS_READ

    def __post_init__(self) -> None:
        for name in ("seconds", "patience"):
            value = getattr(self, name)
            if not math.isfinite(value) or value <= 0:
                raise ConfigError(Notice("decoder.seconds", {"name": name, "seconds": value}))
        if self.room < 1 or self.room_per_pixel < 1:
            raise ConfigError(Notice("decoder.room"))
        if not self.formats or not self.formats <= FORMATS_READ:
            raise ConfigError(
                Notice(
                    "decoder.formats",
                    {"known": ", ".join(sorted(FORMATS_READ)), "value": ", ".join(sorted(self.formats)) or "none"},
                )
            )


class DecoderPool:
    """Reads pictures as `likeness.imaging.files.read_image` does, to the last bit, in processes of its own.

    A file that crashes a decoder, or makes it take more time or memory than any picture of its size needs, ends that
    process and is told in one sentence; the next picture gets another process. Safe to use from several threads; each
    picture that is read has a process for itself. A process starts when it is first needed, and lives until `close`, or the
    end of the pool or of this process, however that comes.

    Linux and macOS have what this takes; macOS does not hold processes to a limit of memory. On Windows pictures are read in
    this process, as by `read_image`, and `isolated` is false.

    Args:
        processes: the most that run at one time; further reading waits.
        limits: for one file.
    """

    def __init__(self, *, processes: int = 4, limits: DecoderLimits | None = None) -> None:
        if processes < 1:
            raise ConfigError(Notice("decoder.processes", {"processes": processes}))
        self._limits = limits or DecoderLimits()
        self._processes = processes
        self._owner = os.getpid()
        self._free = threading.Semaphore(processes)
        self._idle: list[DecoderProcess] = []
        weakref.finalize(self, _end_all, self._idle)

    def __enter__(self) -> DecoderPool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    @property
    def isolated(self) -> bool:
        """Whether this system lets files be decoded in processes of their own."""
        return os.name == "posix"

    def start(self) -> None:
        """Begin to start a process, so that it is ready when the first picture is; returns at once.

        Raises:
            DecoderError: if it cannot be started.
        """
        if self.isolated:
            with self._lease(fresh=False):
                pass

    def close(self) -> None:
        """End the processes that are not at work now. The pool may be used again."""
        _end_all(self._idle)

    def read(self, source: PictureSource, *, max_pixels: int = DEFAULT_MAX_PIXELS, name: str | None = None) -> Image:
        """Read a picture: arguments, result and log as of `likeness.imaging.files.read_image`.

        Raises:
            ImageReadError: also if the file ends its decoder, costs more than the limits allow, or has a format that they
                leave out.
            ImageTooLargeError, ConfigError: as there.
            DecoderError: if there is no process to read it; no picture is to blame for that.
        """
        if max_pixels < 1:
            raise ConfigError(Notice("option.max-pixels", {"max_pixels": max_pixels}))
        with open_picture(source, name=name) as file:
            if file.kind == "raw":
                raise raw_file(file.name)
            if file.kind not in self._limits.formats:
                accepted = ", ".join(sorted(self._limits.formats))
                values = {"name": file.name, "kind": file.kind, "accepted": accepted}
                raise ImageReadError(Notice("image.refused-format", values))
            read = self._read if self.isolated else decode_image
            return file.noted(read(file.stream, kind=file.kind, name=file.name, max_pixels=max_pixels))

    def _read(self, stream: BinaryIO, *, kind: str, name: str, max_pixels: int) -> Image:
        from likeness.imaging.decoding.process import DecoderDeathError, OvertimeError, UnansweredError

        limits = self._limits
        picture, size = _handed(stream)
        request = {
            "kind": kind,
            "name": name,
            "max_pixels": max_pixels,
            "seconds": limits.seconds,
            # The file may be in memory several times: as it came, in parts, put together again, in the library's hands.
            "room": limits.room + 6 * size,
            "room_per_pixel": limits.room_per_pixel,
        }
        most = max_pixels * _SAMPLES_PER_PIXEL + (1 << 16)

        def attempt(*, fresh: bool) -> Image:
            with self._lease(fresh=fresh) as process:
                nonlocal innocent
                innocent = not process.fresh
                with process.asked(request, picture, patience=limits.patience, most=most) as answer:
                    return _image(answer, name)

        innocent = True
        try:
            try:
                return attempt(fresh=False)
            except (DecoderDeathError, DecoderError) as death:
                # A process that has read other files may die of one of those, and people and systems end processes.
                if isinstance(death, DecoderDeathError) and death.by_itself and not innocent:
                    raise
                _log.info("%s: the process that was reading it ended (%s); it is read again in another", name, death)
                return attempt(fresh=True)
        except DecoderDeathError as death:
            values = {"name": name, "kind": kind, "death": str(death)}
            raise ImageReadError(Notice("image.crashes", values)) from None
        except OvertimeError:
            raise ImageReadError(Notice("image.slow", {"name": name, "seconds": limits.seconds})) from None
        except UnansweredError:
            raise DecoderError(Notice("image.waited", {"name": name, "seconds": limits.patience})) from None

    @contextmanager
    def _lease(self, *, fresh: bool) -> Generator[DecoderProcess]:
        """A process for this thread alone, given back if nothing went wrong with it."""
        from likeness.imaging.decoding.process import DecoderProcess

        if self._owner != os.getpid():  # after a fork: the processes are the parent's
            self._owner, self._free = os.getpid(), threading.Semaphore(self._processes)
            self._idle.clear()
        with self._free:
            process = (None if fresh else self._take()) or DecoderProcess()
            usable = False
            try:
                yield process
                usable = True
            except ImageError:
                usable = True
                raise
            finally:
                if usable and not process.worn:
                    self._idle.append(process)
                else:
                    process.end()

    def _take(self) -> DecoderProcess | None:
        """The process that was used last, if one is idle; with ``start`` and one thread it is always the same."""
        while self._idle:
            with contextlib.suppress(IndexError):  # another thread was quicker
                process = self._idle.pop()
                if process.alive:
                    return process
                process.end()
        return None


def _end_all(idle: list[DecoderProcess]) -> None:
    while idle:
        idle.pop().end()


def _handed(stream: BinaryIO) -> tuple[bytes | int, int]:
    """What the process gets of a file, its bytes or its number, and how many bytes those are."""
    if isinstance(stream, io.BytesIO):
        data = stream.getvalue()
        return data, len(data)
    return stream.fileno(), os.fstat(stream.fileno()).st_size


def _image(answer: dict[str, Any], name: str) -> Image:
    """The picture of an answer, with memory of its own.

    Raises:
        ImageReadError, ImageTooLargeError: if that is the answer.
        RuntimeError: for an error that nobody foresaw.
    """
    for logger, level, text in answer["log"]:
        if logger == "py.warnings":  # a library's remark for programmers
            _log.info("%s: %s", name, " ".join(text.split()))
        else:
            logging.getLogger(logger).log(level, "%s", text)
    if "error" in answer:
        error = answer["error"]
        said = Notice.of(error["sentence"], error["notice"])
        if error["kind"] == "ImageTooLargeError":
            raise ImageTooLargeError(said, pixels=error["pixels"])
        if (known := _ERRORS.get(error["kind"])) is not None:
            raise known(said)
        raise RuntimeError(f"{error['kind']}: {error['sentence']}") from _DecoderTracebackError(error["traceback"])
    decoded: Decoded = answer["decoded"]
    image = Image.from_decoded(decoded, name)
    shared = [decoded.samples] if decoded.alpha is None else [decoded.samples, decoded.alpha]
    own = {
        field.name: _copy(value)
        for field in fields(image)
        if isinstance(value := getattr(image, field.name), np.ndarray)
        and any(np.may_share_memory(value, array) for array in shared)
    }
    return replace(image, **own)


def _copy(array: NDArray[Any]) -> NDArray[Any]:
    """A copy; one plane that is seen three times stays one plane."""
    return np.broadcast_to(array[..., :1].copy(), array.shape) if array.strides[-1] == 0 else array.copy()


class _DecoderTracebackError(Exception):
    """Where in the decoder process an error came from, as text."""
