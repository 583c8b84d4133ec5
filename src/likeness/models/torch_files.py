"""PyTorch's .pth files without PyTorch, and without running what a pickle asks for.

A .pth file is a pickle program; `pickle.load` would call whatever it names. Here `run_pickle` runs it, within bounds, and
the few names that a state dict needs stand for parts of ours; every other one is refused. Nothing is allotted that the file
does not hold: storages lie in it uncompressed, together no larger than it, and a tensor is no larger than its storage.
Both of PyTorch's formats are read: the zip archive (the default since 1.6, 2020) and the older sequence of pickles. So are
the tensors of a TorchScript archive (`torch.jit.save`): the program in it, which `torch.jit.load` would run, is never read.
Format: PyTorch's documentation, "Serialization semantics", and torch/serialization.py (BSD licence).
"""

from __future__ import annotations

import errno
import math
import os
import zipfile
from collections.abc import Callable
from operator import index
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from likeness.errors import CheckpointFormatError
from likeness.messages.notice import Notice
from likeness.models.pickle_program import (
    PROGRAM_LIMIT,
    SCRIPT_CLASS,
    Attributes,
    PickleError,
    ordered_dict,
    run_pickle,
)

__all__ = ["TorchFile", "TorchTensor", "float32_of"]

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001

_LARGEST = 1 << 48
"""Elements; no file is as large."""

_READINGS = 8
"""How many times over the file's size may be read from it; storages that tensors share one after the other are read once."""

_REPEATED = 1 << 16
"""Elements up to which a tensor may show those of its storage again and again."""

_DEEPEST = 64
_MOST_PARTS = 100_000
"""Modules within modules in a TorchScript archive, and all of its attributes: LaMa has 14 and 6,000. The same module may
stand in several places, and even in itself."""

_STORAGE_TYPES: dict[str, str] = {
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "BFloat16Storage": "bf16",
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "u1",
}


class _StorageType(NamedTuple):
    """Stands for a torch storage class."""

    code: str

    @property
    def item_size(self) -> int:
        return 2 if self.code == "bf16" else np.dtype(self.code).itemsize


class _Storage(NamedTuple):
    type: _StorageType
    key: str
    elements: int
    start: int = 0  # in a legacy view: the first element inside the root storage


class TorchTensor(NamedTuple):
    """A tensor in a .pth file, not read yet.

    Attributes:
        shape: its shape.
        code: NumPy's type code, or "bf16".
        storage: where its samples lie.
        offset: its first element in there.
        strides: steps between elements, in elements.
        read: gives the bytes of a storage.
        byte_order: gives "<" or ">".
    """

    shape: tuple[int, ...]
    code: str
    storage: _Storage
    offset: int
    strides: tuple[int, ...]
    read: Callable[[_Storage], bytes]
    byte_order: Callable[[], str]

    def to_float32(self) -> NDArray[np.float32]:
        """Read it, as a C-contiguous float32 array of its own.

        Raises:
            CheckpointFormatError: if the file does not hold the tensor's samples.
        """
        code = f"{self.byte_order()}{'u2' if self.code == 'bf16' else self.code}"
        flat = np.frombuffer(self.read(self.storage), code)
        view = np.lib.stride_tricks.as_strided(
            flat[self.offset :], self.shape, tuple(stride * flat.itemsize for stride in self.strides), writeable=False
        )
        if self.code == "bf16":
            return float32_of(view)
        return np.array(view, dtype=np.float32, order="C")


def float32_of(bfloat16: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Numbers in bfloat16, of which NumPy has none, from their bits: each is the upper half of a float32."""
    return (bfloat16.astype(np.uint32, order="C") << 16).view(np.float32)


class TorchFile:
    """An open .pth file; a context manager, since its tensors are read from it on demand.

    Attributes:
        root: what was saved: dictionaries, lists, numbers and strings as in the file, tensors as `TorchTensor`.

    Raises:
        CheckpointFormatError: if the file is no PyTorch file, is damaged, or asks for more than a state dict.
        OSError: if it cannot be read.
    """

    root: object

    def __init__(self, path: Path) -> None:
        self._path = path
        self._byte_order = "<"
        self._file: BinaryIO = path.open("rb")
        self._archive: zipfile.ZipFile | None = None
        self._prefix = ""
        self._size = os.fstat(self._file.fileno()).st_size
        self._storages: dict[str, _Storage] = {}
        self._claimed = 0
        self._read = 0
        self._last: tuple[_Storage | None, bytes] = None, b""
        self._positions: dict[str, int] = {}
        try:
            if self._file.read(2) == b"PK":
                self._guarded(self._open_archive)
            else:
                self._file.seek(0)
                self._guarded(self._open_legacy)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file; tensors that were not read cannot be read any more."""
        if self._archive is not None:
            self._archive.close()
        self._file.close()

    def __enter__(self) -> TorchFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except CheckpointFormatError:
            raise
        except OSError as error:
            if error.errno != errno.EINVAL:  # a place before the file's beginning, asked for by a damaged archive
                raise
            raise self._damaged(error) from error
        # A damaged pickle may raise nearly anything (pickle's documentation says so): all of it means one thing.
        except Exception as error:
            raise self._damaged(error) from error

    def _damaged(self, detail: object) -> CheckpointFormatError:
        name = type(detail).__name__ if isinstance(detail, Exception) and not str(detail) else str(detail)
        return CheckpointFormatError(Notice("checkpoint.pytorch", {"path": str(self._path), "name": name}))

    # The zip format: data.pkl and one entry per storage

    def _open_archive(self) -> None:
        self._archive = zipfile.ZipFile(self._file)
        names = [name for name in self._archive.namelist() if name == "data.pkl" or name.endswith("/data.pkl")]
        if len(names) != 1:
            raise CheckpointFormatError(Notice("checkpoint.zip", {"path": str(self._path)}))
        self._prefix = names[0].removesuffix("data.pkl")
        if f"{self._prefix}byteorder" in self._archive.namelist():
            self._byte_order = ">" if self._entry("byteorder", at_most=16) == b"big" else "<"
        root, _ = self._run(self._entry("data.pkl", at_most=PROGRAM_LIMIT), self._archive_storage)
        self.root = _state_of(root) if isinstance(root, Attributes) else root

    def _entry(self, name: str, *, at_most: int) -> bytes:
        """An archive's entry; zipfile checks its CRC, so a flipped bit is found here."""
        assert self._archive is not None
        entry = self._archive.getinfo(f"{self._prefix}{name}")
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise CheckpointFormatError(Notice("checkpoint.compressed", {"path": str(self._path)}))
        if entry.file_size > min(at_most, self._size):
            raise CheckpointFormatError(Notice("checkpoint.far-more", {"path": str(self._path), "name": name}))
        return self._archive.read(entry)

    def _archive_storage(self, saved: object) -> _Storage:
        kind, storage_type, key, _location, count = cast("tuple[Any, ...]", saved)
        storage = self._storage(kind, storage_type, key, count)
        assert self._archive is not None
        held = self._archive.getinfo(f"{self._prefix}data/{storage.key}").file_size
        if held != storage.elements * storage.type.item_size:
            raise PickleError(f"storage {storage.key} has {held} bytes")
        return storage

    # The legacy format: magic number, version, system, object, storage keys, then each storage

    def _open_legacy(self) -> None:
        start = self._file.read(min(PROGRAM_LIMIT, self._size))
        if start[:2] != b"\x80\x02":
            raise CheckpointFormatError(Notice("checkpoint.neither", {"path": str(self._path)}))
        position = 0

        def load() -> object:
            nonlocal position
            made, length = self._run(memoryview(start)[position:], self._legacy_storage)
            position += length
            return made

        if load() != _LEGACY_MAGIC:
            raise CheckpointFormatError(Notice("checkpoint.pickle", {"path": str(self._path)}))
        if load() != _LEGACY_PROTOCOL:
            raise PickleError("unknown version of the format")
        system = cast("dict[str, object]", load())
        self._byte_order = "<" if system["little_endian"] else ">"
        self.root = load()
        keys = cast("list[str]", load())
        for key in keys:
            self._file.seek(position)
            count = int.from_bytes(self._file.read(8), "little" if self._byte_order == "<" else "big")
            root = self._storages[key]
            if count != root.elements:
                raise PickleError(f"storage {key} has {count} elements instead of {root.elements}")
            position += 8
            self._positions[key] = position
            position += count * root.type.item_size
            if position > self._size:
                raise PickleError(f"storage {key} is cut short")

    def _legacy_storage(self, saved: object) -> _Storage:
        kind, storage_type, key, _location, count, view = cast("tuple[Any, ...]", saved)
        root = self._storage(kind, storage_type, key, count)
        if view is None:
            return root
        _view_key, start, length = view
        if start < 0 or length < 0 or start + length > root.elements:
            raise PickleError(f"a view leaves storage {key}")
        return _Storage(root.type, root.key, index(length), index(start))

    # Both formats

    def _run(self, program: bytes | memoryview, storage: Callable[[object], _Storage]) -> tuple[object, int]:
        return run_pickle(program, named=self._named, persistent=storage)

    def _named(self, module: str, name: str) -> object:
        if (module, name) == ("collections", "OrderedDict"):
            return ordered_dict
        if (module, name) == ("torch", "Size"):
            return tuple[object, ...]
        if module == "__torch__" or module.startswith("__torch__."):
            return SCRIPT_CLASS
        if module == "torch" and name in _STORAGE_TYPES:
            return _StorageType(_STORAGE_TYPES[name])
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return self._tensor
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _parameter
        raise CheckpointFormatError(
            Notice("checkpoint.foreign-code", {"path": str(self._path), "module": module[:80], "name": name[:80]})
        )

    def _storage(self, kind: object, storage_type: object, key: object, count: object) -> _Storage:
        if kind != "storage" or not isinstance(storage_type, _StorageType) or not isinstance(key, str):
            raise PickleError("unknown persistent object")
        storage = _Storage(storage_type, key, index(cast("Any", count)))
        if storage.elements < 0:
            raise PickleError(f"storage {key} has less than nothing")
        if key not in self._storages:
            # Entries of an archive may lie over each other: a small file then holds large ones, many times.
            self._claimed += storage.elements * storage_type.item_size
            if self._claimed > self._size:
                raise PickleError("its storages are larger than the file")
        if self._storages.setdefault(key, storage) != storage:
            raise PickleError(f"storage {key} is of two kinds")
        return storage

    # Tensors

    def _tensor(
        self, storage: object, offset: Any, shape: tuple[Any, ...], strides: tuple[Any, ...], *_flags: object
    ) -> TorchTensor:
        if not isinstance(storage, _Storage):
            raise PickleError("a tensor without storage")
        # Only whole numbers: a pickle can put anything here.
        offset, shape, strides = index(offset), tuple(map(index, shape)), tuple(map(index, strides))
        if len(shape) != len(strides) or len(shape) > 32 or offset < 0 or min((*shape, *strides), default=0) < 0:
            raise PickleError("a tensor's geometry makes no sense")
        if math.prod(side for side in shape if side) > _LARGEST:
            raise PickleError("a tensor is larger than any")
        # Where there is only one element in a direction, no step is ever taken, and it may be any number.
        strides = tuple(stride if side > 1 else 0 for side, stride in zip(shape, strides, strict=True))
        last = offset + sum((side - 1) * stride for side, stride in zip(shape, strides, strict=True))
        elements = math.prod(shape)
        if elements and last >= storage.elements:
            raise PickleError("a tensor reaches beyond its storage")
        if elements > max(storage.elements, _REPEATED):
            raise PickleError("a tensor is larger than its storage")
        if not elements:
            offset, strides = 0, (0,) * len(shape)
        return TorchTensor(
            shape=shape,
            code=storage.type.code,
            storage=storage,
            offset=offset,
            strides=strides,
            read=self._read_storage,
            byte_order=lambda: self._byte_order,
        )

    def _read_storage(self, storage: _Storage) -> bytes:
        if self._last[0] == storage:
            return self._last[1]
        size = storage.elements * storage.type.item_size
        self._read += size
        if self._read > _READINGS * self._size:
            raise CheckpointFormatError(Notice("checkpoint.over-and-over", {"path": str(self._path)}))
        data = b""

        def read() -> None:
            nonlocal data
            if self._archive is not None:
                data = self._entry(f"data/{storage.key}", at_most=size)
            else:
                self._file.seek(self._positions[storage.key] + storage.start * storage.type.item_size)
                data = self._file.read(size)
            if len(data) != size:
                raise PickleError(f"storage {storage.key} is cut short")

        self._guarded(read)
        self._last = storage, data
        return data


def _state_of(module: Attributes) -> dict[str, TorchTensor]:
    """The tensors of a TorchScript module by the names that its state dict has."""
    found: dict[str, TorchTensor] = {}
    waiting: list[tuple[str, int, Attributes]] = [("", 0, module)]
    parts = 0
    while waiting:
        name, depth, attributes = waiting.pop()
        parts += len(attributes)
        if depth > _DEEPEST or parts > _MOST_PARTS:
            raise PickleError("its modules lie in each other without an end")
        for key, value in attributes.items():
            if isinstance(value, TorchTensor):
                found[f"{name}{key}"] = value
            elif isinstance(value, Attributes):
                waiting.append((f"{name}{key}.", depth + 1, value))
    return found


def _parameter(tensor: object, _requires_grad: object, _hooks: object) -> object:
    return tensor
