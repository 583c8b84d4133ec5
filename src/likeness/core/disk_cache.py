"""A cache on the disk: contents by name, the longest unused removed first.

Files appear whole or not at all, so several threads and processes may share a folder; each file carries the length and a
check sum of its content, and one that is damaged or cut short is taken for missing. Whatever goes wrong with the disk is
logged and costs only time: what a cache holds can always be made again.
"""

from __future__ import annotations

import logging
import os
import struct
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from likeness.core.files import TEMPORARY, write_bytes_atomically
from likeness.errors import FileWriteError

__all__ = ["DiskCache"]

_log = logging.getLogger(__name__)

_MAGIC = b"likeness cache 1".ljust(32, b"\0")
_HEADER = struct.Struct("<32sQQQ")
_HEADER_BYTES = 4096
"""The content begins on a page of its own, as the file is mapped into memory."""
_WORD = 8
_ABANDONED = 3600.0
"""Seconds after which a temporary file was left by a process that was killed."""
_UNSEEN = 1 / 32
"""After so much of the limit of its own a process looks again what there is: others write, too."""


class DiskCache:
    """A folder of contents, for several threads and processes.

    Args:
        folder: made when something is first put there.
        suffix: what the names of its files end with, with the dot.
        limit: bytes of all files together. When there are more, the longest unused go, down to nine tenths of the
            limit, so that not every `put` has to look at all files.

    Raises:
        ValueError: if ``limit`` is below 0.
    """

    def __init__(self, folder: Path, *, suffix: str, limit: int) -> None:
        if limit < 0:
            raise ValueError(f"the limit of a cache must be 0 bytes or more, not {limit}")
        self.folder = folder
        self.limit = limit
        self._suffix = suffix
        self._lock = threading.Lock()
        self._size: int | None = None
        self._added = 0

    def path(self, name: str) -> Path:
        """The file of a name; a name may hold one "/", so that a folder need not hold thousands of files."""
        return self.folder / f"{name}{self._suffix}"

    def get(self, name: str) -> NDArray[np.uint8] | None:
        """The content of a name, mapped into memory (changes to it stay in memory); None if there is none."""
        path = self.path(name)
        try:
            content = _checked(path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            _log.info("%s cannot be used (%s); it is made again", path, error)
            return None
        with suppress(OSError):  # in a folder that may only be read, and from which nothing goes
            os.utime(path)  # used just now
        return content

    def put(self, name: str, content: bytes) -> None:
        """Keep a content. One that does not fit under the limit, or that the disk does not take, is not kept."""
        path = self.path(name)
        padding = -len(content) % _WORD
        header = _HEADER.pack(_MAGIC, len(content), *_sums(content + bytes(padding))).ljust(_HEADER_BYTES, b"\0")
        size = len(header) + len(content) + padding
        if size > self.limit:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Without waiting for the disk: what a power cut damages is found out by the check sum.
            write_bytes_atomically(header + content + bytes(padding), path, durable=False)
        except (OSError, FileWriteError) as error:
            _log.info("%s could not be kept (%s)", path.name, error)
            return
        with self._lock:
            self._added += size
            if self._size is None or self._added > self.limit * _UNSEEN:
                self._size, self._added = self._measure(), 0
            else:
                self._size += size
            if self._size > self.limit:
                self._size = self._trim()

    def files(self) -> tuple[Path, ...]:
        """The files, the one used last first."""
        return tuple(path for _, _, path in sorted(self._found(), reverse=True))

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for _, size, _ in self._found())

    def clear(self) -> int:
        """Delete every file; how many bytes that freed."""
        freed = sum(size for _, size, path in self._found() if _remove(path))
        with self._lock:
            self._size = None
        return freed

    def _found(self) -> list[tuple[float, int, Path]]:
        """Time of last use, size and path of each file."""
        found: list[tuple[float, int, Path]] = []
        for pattern in (f"*{self._suffix}", f"*/*{self._suffix}"):
            for path in self.folder.glob(pattern):
                try:
                    status = path.stat()
                except OSError:  # removed by another process
                    continue
                found.append((status.st_mtime, status.st_size, path))
        return found

    def _measure(self) -> int:
        """Bytes of all files; what killed processes left half-written is removed on the way."""
        begin, end = TEMPORARY
        for pattern in (f"{begin}*{end}", f"*/{begin}*{end}"):
            for part in self.folder.glob(pattern):
                try:
                    abandoned = part.stat().st_mtime < time.time() - _ABANDONED
                except OSError:
                    continue
                if abandoned:
                    _remove(part)
        return self.size

    def _trim(self) -> int:
        """Remove the longest unused; how many bytes are left."""
        files = sorted(self._found())
        total = sum(size for _, size, _ in files)
        for _, size, path in files:
            if total <= 0.9 * self.limit:
                break
            if _remove(path) or not path.exists():  # another process may be at the same
                total -= size
        return total


def _checked(path: Path) -> NDArray[np.uint8]:
    """The content of a file, mapped into memory, not read.

    Raises:
        ValueError: if the file is damaged or none of ours.
        OSError: if it cannot be read.
    """
    if path.stat().st_size < _HEADER_BYTES:
        raise ValueError("it is cut short")
    # Copy on write: OpenVINO wants memory that may be written to; the file stays as it is.
    whole = np.memmap(path, np.uint8, mode="c")
    magic, length, *sums = _HEADER.unpack(whole[: _HEADER.size].tobytes())
    if magic != _MAGIC or len(whole) != _HEADER_BYTES + length + -length % _WORD:
        raise ValueError("it is cut short, or no file of this cache")
    if list(_sums(whole[_HEADER_BYTES:])) != sums:
        raise ValueError("it is damaged")
    return whole[_HEADER_BYTES : _HEADER_BYTES + length]


def _sums(content: bytes | NDArray[np.uint8]) -> tuple[int, int]:
    """Sum modulo 2^64 and exclusive or of all words: against damage, not against malice, at the speed of memory."""
    words = np.frombuffer(content, np.uint64)
    return int(words.sum(dtype=np.uint64)), int(np.bitwise_xor.reduce(words))


def _remove(path: Path) -> bool:
    """Whether the file is gone by our hand; on Windows one that is in use stays."""
    try:
        path.unlink()
    except OSError:
        return False
    return True
