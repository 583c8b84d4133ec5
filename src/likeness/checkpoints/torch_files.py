"""PyTorch's .pth files without PyTorch, and without running what a pickle asks for.

A .pth file is a pickle program; `pickle.load` would call whatever it names. The unpickler here knows the few names that
a state dict needs and refuses every other one. Both of PyTorch's formats are read: the zip archive (the default since
1.6, 2020) and the older sequence of pickles. Format: PyTorch's documentation, "Serialization semantics", and
torch/serialization.py (BSD licence).
"""

from __future__ import annotations

import io
import math
import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from operator import index
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from likeness.errors import CheckpointFormatError

__all__ = ["TorchFile", "TorchTensor"]

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001

_PROGRAM_LIMIT = 64 << 20
"""Bytes of pickle that are read from an archive; a GPEN state dict takes under 100 kB, tensors lie beside it."""

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


# The three types below meet the pickle program, whose BUILD instruction may overwrite whatever has a __dict__ or a
# __setstate__, frozen dataclasses included. A named tuple has neither: what was checked stays as it was checked.


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
        flat = _to_float32(self.read(self.storage), self.code, self.byte_order())
        size = flat.itemsize
        view = np.lib.stride_tricks.as_strided(
            flat[self.offset :], self.shape, tuple(stride * size for stride in self.strides), writeable=False
        )
        return np.array(view, dtype=np.float32, order="C")


def _to_float32(data: bytes, code: str, order: str) -> NDArray[np.float32]:
    if code == "bf16":
        # bfloat16 is the upper half of a float32.
        return (np.frombuffer(data, f"{order}u2").astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(data, f"{order}{code}").astype(np.float32)


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
        self._positions: dict[str, tuple[int, int]] = {}
        self._legacy_types: dict[str, _Storage] = {}
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
        except (CheckpointFormatError, OSError):
            raise
        # A damaged pickle may raise nearly anything (pickle's documentation says so): all of it means one thing.
        except Exception as error:
            raise self._damaged(error) from error

    def _damaged(self, detail: object) -> CheckpointFormatError:
        name = type(detail).__name__ if isinstance(detail, Exception) and not str(detail) else detail
        return CheckpointFormatError(
            f"{self._path} is not a readable PyTorch checkpoint ({name}): it is damaged, cut short or another kind of "
            "file; fetch it again."
        )

    # The zip format: data.pkl and one entry per storage

    def _open_archive(self) -> None:
        self._archive = zipfile.ZipFile(self._file)
        names = [name for name in self._archive.namelist() if name == "data.pkl" or name.endswith("/data.pkl")]
        if len(names) != 1:
            raise CheckpointFormatError(f"{self._path} is a zip archive but no PyTorch checkpoint: it has no data.pkl.")
        self._prefix = names[0].removesuffix("data.pkl")
        if f"{self._prefix}byteorder" in self._archive.namelist():
            self._byte_order = ">" if self._archive.read(f"{self._prefix}byteorder") == b"big" else "<"
        if self._archive.getinfo(names[0]).file_size > _PROGRAM_LIMIT:
            raise CheckpointFormatError(f"{self._path} holds far more than a state dict; it was not read.")
        program = io.BytesIO(self._archive.read(names[0]))
        self.root = _Unpickler(program, str(self._path), self._archive_storage, self._tensor).load()

    def _archive_storage(self, saved: tuple[Any, ...]) -> _Storage:
        kind, storage_type, key, _location, count = saved
        if kind != "storage" or not isinstance(storage_type, _StorageType):
            raise pickle.UnpicklingError("unknown persistent object")
        storage = _Storage(storage_type, str(key), index(count))
        assert self._archive is not None
        held = self._archive.getinfo(f"{self._prefix}data/{storage.key}").file_size
        if held != storage.elements * storage_type.item_size:
            raise pickle.UnpicklingError(f"storage {storage.key} has {held} bytes")
        return storage

    # The legacy format: magic number, version, system, object, storage keys, then each storage

    def _open_legacy(self) -> None:
        file, name = self._file, str(self._path)

        def load() -> object:
            return _Unpickler(file, name, self._legacy_storage, self._tensor).load()

        if file.read(2) != b"\x80\x02":
            raise CheckpointFormatError(
                f"{self._path} is not a checkpoint: neither a PyTorch .pth file nor safetensors; choose another file."
            )
        file.seek(0)
        if load() != _LEGACY_MAGIC:
            raise CheckpointFormatError(
                f"{self._path} is a pickle but no PyTorch checkpoint; save the network's state dict with torch.save."
            )
        if load() != _LEGACY_PROTOCOL:
            raise pickle.UnpicklingError("unknown version of the format")
        system = cast("dict[str, object]", load())
        self._byte_order = "<" if system["little_endian"] else ">"
        self.root = load()
        size = os.fstat(file.fileno()).st_size
        for key in cast("list[str]", load()):
            count = int.from_bytes(file.read(8), "little" if self._byte_order == "<" else "big")
            root = self._legacy_types[key]
            if count != root.elements:
                raise pickle.UnpicklingError(f"storage {key} has {count} elements instead of {root.elements}")
            length = count * root.type.item_size
            self._positions[key] = (file.tell(), length)
            if file.tell() + length > size:
                raise EOFError(f"storage {key} is cut short")
            file.seek(length, os.SEEK_CUR)

    def _legacy_storage(self, saved: tuple[Any, ...]) -> _Storage:
        kind, storage_type, key, _location, count, view = saved
        if kind != "storage" or not isinstance(storage_type, _StorageType):
            raise pickle.UnpicklingError("unknown persistent object")
        root = _Storage(storage_type, str(key), index(count))
        self._legacy_types[root.key] = root
        if view is None:
            return root
        _view_key, start, length = view
        if start < 0 or length < 0 or start + length > root.elements:
            raise pickle.UnpicklingError(f"a view leaves storage {key}")
        return _Storage(storage_type, root.key, index(length), index(start))

    # Tensors

    def _tensor(self, storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> TorchTensor:
        # Only whole numbers: a pickle can put anything here.
        offset, shape, strides = index(offset), tuple(map(index, shape)), tuple(map(index, strides))
        if len(shape) != len(strides) or offset < 0 or min((*shape, *strides), default=0) < 0:
            raise pickle.UnpicklingError("a tensor's geometry makes no sense")
        last = offset + sum((side - 1) * stride for side, stride in zip(shape, strides, strict=True))
        if math.prod(shape) and last >= storage.elements:
            raise pickle.UnpicklingError("a tensor reaches beyond its storage")
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
        size = storage.type.item_size
        try:
            if self._archive is not None:
                # zipfile checks the entry's CRC: a flipped bit is found here.
                return self._archive.read(f"{self._prefix}data/{storage.key}")
            position, length = self._positions[storage.key]
            self._file.seek(position + storage.start * size)
            data = self._file.read(min(storage.elements * size, length - storage.start * size))
        except (zipfile.BadZipFile, EOFError, KeyError, NotImplementedError, RuntimeError) as error:
            raise self._damaged(error) from error
        if len(data) != storage.elements * size:
            raise self._damaged(f"storage {storage.key} is cut short")
        return data


class _Unpickler(pickle.Unpickler):
    """Runs a pickle that may name only the parts of a state dict."""

    def __init__(
        self,
        file: BinaryIO | io.BytesIO,
        source: str,
        storage: Callable[[tuple[Any, ...]], _Storage],
        tensor: Callable[[_Storage, int, tuple[int, ...], tuple[int, ...]], TorchTensor],
    ) -> None:
        super().__init__(file, encoding="utf-8")
        self._source = source
        self._storage = storage
        self._tensor = tensor

    def find_class(self, module: str, name: str, /) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch", "Size"):
            return tuple
        if module == "torch" and name in _STORAGE_TYPES:
            return _StorageType(_STORAGE_TYPES[name])
        # New functions for every file: whatever a pickle might attach to one is gone with it.
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return self._tensor_builder()
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return self._parameter_builder()
        raise CheckpointFormatError(
            f"{self._source} asks for the Python object {module}.{name}, which is refused because loading it could run "
            "foreign code; save only the network's state dict (torch.save(network.state_dict(), ...))."
        )

    def persistent_load(self, pid: Any, /) -> _Storage:
        return self._storage(pid)

    def _tensor_builder(self) -> Callable[..., TorchTensor]:
        def build(
            storage: object, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_flags: object
        ) -> TorchTensor:
            if not isinstance(storage, _Storage):
                raise pickle.UnpicklingError("a tensor without storage")
            return self._tensor(storage, offset, shape, strides)

        return build

    @staticmethod
    def _parameter_builder() -> Callable[..., object]:
        def build(tensor: object, _requires_grad: object, _hooks: object) -> object:
            return tensor

        return build
