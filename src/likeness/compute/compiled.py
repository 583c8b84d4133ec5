"""Compiled networks on disk, so that the next start need not compile them again.

One file per network, named after it and after a digest of all that a compiled network depends on: the network itself,
OpenVINO's version, the processor, and the properties it was compiled with. Another version or another machine therefore
finds nothing, and compiles. Files appear whole or not at all, so two processes may start at once; each carries its length
and a check sum, and one that is damaged is compiled anew. Whatever goes wrong with the cache is logged and costs only time.

LIKENESS_CACHE names another folder, or is "off".
"""

from __future__ import annotations

import hashlib
import logging
import os
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from likeness.compute.home import expanded, home_folder
from likeness.compute.library import load_openvino
from likeness.compute.network import Network
from likeness.core.files import write_bytes_atomically
from likeness.errors import ConfigError, FileWriteError

if TYPE_CHECKING:
    import openvino

__all__ = ["CompiledCache", "default_cache"]

_log = logging.getLogger(__name__)

_MAGIC = b"likeness compiled network 1\n\0\0\0\0"
_HEADER = struct.Struct("<32sQQQ")
_HEADER_BYTES = 4096
"""The network begins on a page of its own, as the file is mapped into memory."""
_SUFFIX = ".compiled"
_LIMIT = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class CompiledCache:
    """A folder of compiled networks.

    Attributes:
        folder: made when something is first put there.
        limit: bytes; the networks that were used longest ago go when there is more.
    """

    folder: Path
    limit: int = _LIMIT

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise ValueError(f"limit must be at least 1 byte, not {self.limit}")

    def compile(
        self,
        core: openvino.Core,
        name: str,
        *,
        identity: str,
        build: Callable[[], openvino.Model],
        device: str,
        properties: Mapping[str, Any],
    ) -> Network:
        """The compiled network: from the folder if it is there, else built, compiled and put there.

        Args:
            core: OpenVINO's.
            name: what the file is called; letters, digits and hyphens.
            identity: of the network: a digest of its weights, and of all else that ``build`` goes by.
            build: makes the network.
            device: an OpenVINO device name.
            properties: as `openvino.Core.compile_model` takes them.
        """
        path = self.folder / f"{name}-{_digest(core, identity, device, properties)}{_SUFFIX}"
        found = self._read(core, path, device, properties)
        if found is not None:
            return found
        compiled = core.compile_model(build(), device, dict(properties))
        self._write(path, compiled)
        return Network(compiled)

    def files(self) -> tuple[Path, ...]:
        """The compiled networks, the one used last first."""
        try:
            return tuple(sorted(self.folder.glob(f"*{_SUFFIX}"), key=lambda path: path.stat().st_mtime, reverse=True))
        except OSError:  # the folder is missing, or a file went meanwhile
            return ()

    def clear(self) -> int:
        """Delete every compiled network; how many bytes that freed."""
        return sum(_remove(path) for path in self.files())

    def _read(self, core: openvino.Core, path: Path, device: str, properties: Mapping[str, Any]) -> Network | None:
        try:
            content = _checked(path)
            os.utime(path)  # used last
            tensor = load_openvino().Tensor(content, shared_memory=True)
            return Network(core.import_model(tensor, device, dict(properties)), memory=content)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RuntimeError) as error:  # RuntimeError is OpenVINO's
            _log.info("the compiled network %s cannot be used (%s); it is compiled again", path, error)
            return None

    def _write(self, path: Path, compiled: openvino.CompiledModel) -> None:
        try:
            content: bytes = compiled.export_model().getvalue()
            content += bytes(-len(content) % 8)
            words = np.frombuffer(content, np.uint64)
            header = _HEADER.pack(_MAGIC, len(content), *_sums(words))
            self.folder.mkdir(parents=True, exist_ok=True)
            write_bytes_atomically(header.ljust(_HEADER_BYTES, b"\0") + content, path)
            self._keep_within_limit(path)
        except (OSError, RuntimeError, FileWriteError) as error:
            _log.info("the compiled network cannot be kept in %s (%s); the next start compiles again", path, error)

    def _keep_within_limit(self, newest: Path) -> None:
        total = 0
        for path in self.files():
            total += _size(path)
            if total > self.limit and path != newest:
                total -= _remove(path)


def default_cache() -> CompiledCache | None:
    """The user's cache, as LIKENESS_CACHE says; None if that is "off"."""
    named = os.environ.get("LIKENESS_CACHE", "").strip()
    if named.casefold() in ("off", "0", "no", "false"):
        return None
    try:
        return CompiledCache(folder=expanded(named) if named else home_folder() / "compiled")
    except ConfigError:
        _log.info(
            "this user has no home folder, so compiled networks are not kept; set LIKENESS_CACHE to a folder for them"
        )
        return None


def _digest(core: openvino.Core, identity: str, device: str, properties: Mapping[str, Any]) -> str:
    facts = [
        load_openvino().get_version(),
        device,
        str(core.get_property(device, "FULL_DEVICE_NAME")),
        ",".join(sorted(core.get_property(device, "OPTIMIZATION_CAPABILITIES"))),
        *(f"{name}={value}" for name, value in sorted(properties.items())),
        identity,
    ]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:24]


def _checked(path: Path) -> NDArray[np.uint8]:
    """The network in a file, mapped into memory, not read.

    Raises:
        ValueError: if the file is damaged or none of ours.
        OSError: if it cannot be read.
    """
    if path.stat().st_size <= _HEADER_BYTES:
        raise ValueError("it is cut short")
    # Copy on write: OpenVINO wants memory that may be written to; the file stays as it is.
    whole = np.memmap(path, np.uint8, mode="c")
    magic, length, *sums = _HEADER.unpack(whole[: _HEADER.size].tobytes())
    content = whole[_HEADER_BYTES:]
    if magic != _MAGIC or length != content.size or length % 8:
        raise ValueError("it is cut short, or no compiled network")
    if list(_sums(content.view(np.uint64))) != sums:
        raise ValueError("it is damaged")
    return content


def _sums(words: NDArray[np.uint64]) -> tuple[int, int]:
    """Sum modulo 2^64 and exclusive or: a check against damage, not against malice, at the speed of memory."""
    return int(words.sum(dtype=np.uint64)), int(np.bitwise_xor.reduce(words))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _remove(path: Path) -> int:
    """Bytes freed; 0 where the file is gone already or, on Windows, in use."""
    size = _size(path)
    try:
        path.unlink()
    except OSError:
        return 0
    return size
