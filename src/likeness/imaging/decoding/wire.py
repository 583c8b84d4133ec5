"""How a decoder process and its owner talk: messages over a socket, samples in memory that both see."""

from __future__ import annotations

import contextlib
import fcntl
import io
import mmap
import os
import pickle
import secrets
import select
import socket
import struct
import sys
from dataclasses import is_dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

__all__ = ["Channel", "Segment", "WireError", "pack", "unpack"]

_HEAD = struct.Struct("<Q")
_LONGEST = 1 << 28
"""Bytes of one message: it holds EXIF and profiles, never samples."""

_ALIGNMENT = 64
_PACKAGE = "likeness.imaging."
_SAMPLES = frozenset(np.dtype(kind).str for kind in (np.uint8, np.uint16, np.float32))


class WireError(Exception):
    """A message that no decoder process of ours would send."""


class Channel:
    """Messages of plain values, each with at most one open file, over one end of a socket pair."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def send(self, message: object, file: int | None = None) -> None:
        """Send a message, and an open file with it.

        Raises:
            OSError: if the other side is gone, or the time is over.
        """
        body = message if isinstance(message, bytes) else pickle.dumps(message, 5)
        head = _HEAD.pack(len(body))
        if file is None:
            self._end.sendall(head + body)
            return
        socket.send_fds(self._end, [head], [file])
        self._end.sendall(body)

    def waits(self, seconds: float) -> bool:
        """Whether something of a message is there, or the other side is gone, within so many seconds."""
        return bool(select.select([self._end], [], [], seconds)[0])

    def receive(self, *, within: float | None = None) -> tuple[bytes, int | None]:
        """The next message as its sender packed it, and the open file that came along; `unpack` reads it.

        Raises:
            EOFError: if the other side is gone.
            TimeoutError: if a pause in it is longer than ``within`` seconds.
            WireError: if it is too long.
        """
        self._end.settimeout(within)
        head, files, _, _ = socket.recv_fds(self._end, _HEAD.size, 1)
        file = files[0] if files else None
        try:
            head += self._read(_HEAD.size - len(head)) if head else b""
            if not head:
                raise EOFError
            (length,) = cast("tuple[int]", _HEAD.unpack(head))
            if length > _LONGEST:
                raise WireError(f"a message of {length} bytes")
            return bytes(self._read(length)), file
        except BaseException:
            if file is not None:
                os.close(file)
            raise

    def _read(self, count: int) -> bytearray:
        body = bytearray(count)
        view, have = memoryview(body), 0
        while have < count:
            got = self._end.recv_into(view[have:])
            if not got:
                raise EOFError
            have += got
        return body

    def close(self) -> None:
        """Hang up."""
        self._end.close()


class Segment:
    """Memory that two processes see. It is used again for the next picture: pages that the system has to make take longer
    to fill than the samples that go into them.

    Args:
        file: the open file behind it, which is closed; None makes one of ``size`` bytes.
        size: bytes, if there is no file.
    """

    def __init__(self, file: int | None = None, *, size: int = 0) -> None:
        self.file = _make(size) if file is None else file
        self.size = os.fstat(self.file).st_size
        self._map = mmap.mmap(self.file, self.size)

    def array(self, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """A view of a part.

        Raises:
            ValueError: if there is no such part.
        """
        return np.ndarray(shape, dtype, self._map, offset)

    def holds(self, array: NDArray[Any]) -> bool:
        """Whether an array lies in it."""
        return np.may_share_memory(array, np.frombuffer(self._map, np.uint8))

    def write(self, data: bytes) -> None:
        """Fill its beginning."""
        self._map[: len(data)] = data

    def read(self, count: int) -> bytes:
        """A copy of its beginning."""
        return self._map[:count]

    def close(self) -> None:
        """Give the memory back, as soon as no array lies in it any more."""
        os.close(self.file)
        with contextlib.suppress(BufferError):
            self._map.close()


def _make(size: int) -> int:
    if sys.platform == "linux":
        file = os.memfd_create("likeness", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(file, size)
        # Nobody can take pages away from under the other's feet, which would be a signal 7 there.
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        return file
    return _make_named(size)


def _make_named(size: int) -> int:
    """POSIX shared memory, whose name is gone before anybody can see it; for systems without `os.memfd_create`."""
    import _posixshmem  # pyright: ignore[reportMissingImports]

    name = f"/likeness-{secrets.token_hex(8)}"
    file = _posixshmem.shm_open(name, os.O_CREAT | os.O_EXCL | os.O_RDWR, mode=0o600)
    _posixshmem.shm_unlink(name)
    os.ftruncate(file, size)
    return file


class _Packer(pickle.Pickler):
    def __init__(self, out: io.BytesIO) -> None:
        super().__init__(out, 5)
        self.arrays: list[tuple[int, NDArray[Any]]] = []
        self.size = 0

    def persistent_id(self, obj: Any) -> Any:
        if not isinstance(obj, np.ndarray):
            return None
        array = cast("NDArray[Any]", obj)
        offset = self.size
        self.arrays.append((offset, array))
        self.size += -(-array.nbytes // _ALIGNMENT) * _ALIGNMENT
        return offset, array.shape, array.dtype.str


def pack(value: object) -> tuple[bytes, list[tuple[int, NDArray[Any]]], int]:
    """A message, the arrays in it with their places in a `Segment`, and the size that the segment must have."""
    out = io.BytesIO()
    packer = _Packer(out)
    packer.dump(value)
    return out.getvalue(), packer.arrays, packer.size


class _Unpacker(pickle.Unpickler):
    """Makes nothing but plain values, arrays in a segment, the frozen dataclasses of this package, and what is named."""

    def __init__(self, data: bytes, segment: Segment | None, kinds: frozenset[tuple[str, str]]) -> None:
        super().__init__(io.BytesIO(data))
        self._segment = segment
        self._kinds = kinds

    def persistent_load(self, pid: Any) -> Any:
        if self._segment is None:
            raise WireError("an array without memory")
        offset, shape, dtype = pid
        if dtype not in _SAMPLES:
            raise WireError(f"an array of {dtype}")
        return self._segment.array(offset, shape, np.dtype(dtype))

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (module_name, global_name) in self._kinds:
            return super().find_class(module_name, global_name)
        if module_name.startswith(_PACKAGE):
            found = super().find_class(module_name, global_name)
            if isinstance(found, type) and is_dataclass(found):
                return found
        raise WireError(f"a value of the kind {module_name}.{global_name}")


def unpack(data: bytes, segment: Segment | None = None, kinds: frozenset[tuple[str, str]] = frozenset()) -> Any:
    """The value of a message; its arrays are views of the segment.

    Args:
        data: the message.
        segment: where its arrays lie.
        kinds: modules and names of further classes that may be in it.

    Raises:
        WireError: if it holds what it must not.
    """
    try:
        return _Unpacker(data, segment, kinds).load()
    except (pickle.UnpicklingError, ValueError, TypeError, EOFError, LookupError, AttributeError) as error:
        raise WireError(str(error)) from error
