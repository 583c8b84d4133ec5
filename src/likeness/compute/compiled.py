"""Compiled networks on disk, so that the next start need not compile them again.

One file per network, named after it and after a digest of all that a compiled network depends on: the network itself,
OpenVINO's version, the processor, and the properties it was compiled with. Another version or another machine therefore
finds nothing, and compiles. Whatever goes wrong with the cache is logged and costs only time (`likeness.core.disk_cache`).

LIKENESS_CACHE names another folder, or is "off".
"""

from __future__ import annotations

import hashlib
import inspect
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from likeness.compute.library import load_openvino
from likeness.compute.network import Network
from likeness.core.disk_cache import DiskCache
from likeness.core.hashing import facts_of, known_sha256_of
from likeness.core.home import expanded, home_folder
from likeness.core.memory import pages_dropped
from likeness.errors import ConfigError

if TYPE_CHECKING:
    import openvino

__all__ = [
    "CompiledCache",
    "compile_network",
    "default_cache",
    "digest_of_code",
    "digest_of_weights",
    "identity_of",
]

_log = logging.getLogger(__name__)

_SUFFIX = ".compiled"
_LIMIT = 1_000_000_000
_DIGESTS, _DIGESTS_LIMIT = ".digest-of-file", 1_000_000
"""Not ".sha256": the folder may be one in which somebody keeps such files, and the longest unused are removed."""
_SETTLED = 2.0
"""Seconds after which a file that was written may be known by its times: one that is written twice at once may keep them."""


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
        name = f"{name}-{_digest(core, identity, device, properties)}"
        found = self._read(core, name, device, properties)
        if found is not None:
            return found
        compiled = core.compile_model(build(), device, dict(properties))
        self._write(name, compiled)
        return Network(compiled)

    def digest_of(self, path: Path) -> str:
        """SHA-256 of a network's file, kept from one start to the next for a file that lies there unchanged.

        What counts as unchanged: `likeness.core.hashing.known_sha256_of`.
        """
        facts = facts_of(path)
        name = hashlib.sha256(repr(facts).encode()).hexdigest()[:24]
        found = self._digests.get(name)
        if found is not None and len(found) == hashlib.sha256().digest_size:
            return found.tobytes().hex()
        digest = known_sha256_of(path)
        if time.time() - facts[-1] / 1e9 > _SETTLED:
            self._digests.put(name, bytes.fromhex(digest))
        return digest

    def files(self) -> tuple[Path, ...]:
        """The compiled networks, the one used last first."""
        return self._files.files()

    def clear(self) -> int:
        """Delete every compiled network, and what else is kept; how many bytes that freed."""
        return self._files.clear() + self._digests.clear()

    @property
    def _files(self) -> DiskCache:
        return DiskCache(self.folder, suffix=_SUFFIX, limit=self.limit)

    @property
    def _digests(self) -> DiskCache:
        return DiskCache(self.folder, suffix=_DIGESTS, limit=_DIGESTS_LIMIT)

    def _read(self, core: openvino.Core, name: str, device: str, properties: Mapping[str, Any]) -> Network | None:
        content = self._files.get(name)
        if content is None:
            return None
        try:
            tensor = load_openvino().Tensor(content, shared_memory=True)
            network = Network(core.import_model(tensor, device, dict(properties)), memory=content)
        except RuntimeError as error:
            _log.info("the compiled network %s cannot be used (%s); it is compiled again", name, error)
            return None
        # The weights were laid out anew for the processor, and OpenVINO only reads what it was given.
        pages_dropped(content)
        return network

    def _write(self, name: str, compiled: openvino.CompiledModel) -> None:
        try:
            content: bytes = compiled.export_model().getvalue()
        except RuntimeError as error:
            _log.info("the compiled network cannot be kept (%s); the next start compiles again", error)
        else:
            self._files.put(name, content)


def compile_network(
    core: openvino.Core,
    name: str,
    *,
    cache: CompiledCache | None,
    identity: Callable[[], str],
    build: Callable[[], openvino.Model],
    device: str = "CPU",
    properties: Mapping[str, Any],
) -> Network:
    """`CompiledCache.compile` where there is a cache; without one the network's identity is not worked out."""
    if cache is None:
        return Network(core.compile_model(build(), device, dict(properties)))
    return cache.compile(core, name, identity=identity(), build=build, device=device, properties=properties)


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


def digest_of_weights(state: Mapping[str, NDArray[np.float32]]) -> str:
    """SHA-256 of a network's arrays with their names and shapes."""
    digest = hashlib.sha256()
    for name, array in sorted(state.items()):
        digest.update(f"{name} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def digest_of_code(*made_by: Callable[..., Any]) -> str:
    """SHA-256 of the files that functions and classes stand in: a new version of the code that builds a graph may build
    another one from the same weights."""
    return hashlib.sha256(b"".join(Path(inspect.getfile(one)).read_bytes() for one in made_by)).hexdigest()


def identity_of(state: Mapping[str, NDArray[np.float32]], *made_by: Callable[..., Any]) -> str:
    """What `compile_network` knows a network by: its arrays, and the code that builds its graph of them."""
    return f"{digest_of_weights(state)} {digest_of_code(*made_by)}"


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
