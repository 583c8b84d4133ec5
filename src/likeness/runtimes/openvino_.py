"""The CPU runtime of the base install: OpenVINO.

Nothing leaves the machine: openvino's own telemetry is kept from starting (see `likeness.compute.library`), and a test
watches the sockets.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from likeness.compute.compiled import CompiledCache
from likeness.compute.library import load_openvino, shared_core
from likeness.compute.network import Network
from likeness.errors import ConfigError
from likeness.networks.config import LATENT_CHANNELS, GpenConfig
from likeness.runtimes.base import Batch, Encoding, check_encoding, check_faces
from likeness.runtimes.export import Part, build, feature_name

if TYPE_CHECKING:
    import openvino

__all__ = ["OpenVinoRuntime", "Precision"]

Precision = Literal["auto", "f32", "bf16"]
"""Arithmetic of the network; ``auto`` is bf16 where the processor has it, else f32."""

_log = logging.getLogger(__name__)


class OpenVinoRuntime:
    """A GPEN network on OpenVINO; implements `likeness.runtimes.base.Runtime`. Thread-safe.

    Each part of the network (encode, decode, project) is compiled when it is first used. Faces run one after the other:
    one face fills the processor, and a batch of them was measured to be no faster.

    Args:
        state: the network's weights under their published names, float32; kept until every part is compiled, and not
            looked at where a part comes compiled from ``cache``.
        config: the network's configuration.
        precision: arithmetic; inputs and outputs are float32 in any case.
        threads: processor threads, or None for what OpenVINO finds best.
        cache: where compiled networks are kept, which makes the next start faster (about the size of the float32
            weights each); None for no cache.
        identity: a digest of ``state`` and ``config``, for ``cache``; taken of ``state`` itself if None, which reads it.
        device: an OpenVINO device name.

    Raises:
        ConfigError: if the device is not there, cannot do the precision, or ``threads`` is below 1.
    """

    def __init__(
        self,
        state: Mapping[str, NDArray[np.float32]],
        config: GpenConfig,
        *,
        precision: Precision = "auto",
        threads: int | None = None,
        cache: CompiledCache | None = None,
        identity: str | None = None,
        device: str = "CPU",
    ) -> None:
        openvino = load_openvino()
        self._state = state
        self._config = config
        self._core = shared_core()
        self._cache = cache
        self._identity = identity
        self._device = _checked_device(self._core, device)
        self._precision: Literal["f32", "bf16"] = _checked_precision(self._core, device, precision)
        self._properties: dict[str, Any] = {"INFERENCE_PRECISION_HINT": self._precision, "PERFORMANCE_HINT": "LATENCY"}
        if threads is not None:
            if threads < 1:
                raise ConfigError(f"threads must be at least 1, not {threads}.")
            self._properties["INFERENCE_NUM_THREADS"] = threads
        name = str(self._core.get_property(device, "FULL_DEVICE_NAME")).strip()
        version = openvino.get_version().split("-")[0]
        self._description = f"OpenVINO {version}, {device} ({name}), {self._precision}"
        self._compiled: dict[Part, Network] = {}
        self._compile_lock = threading.Lock()

    @property
    def config(self) -> GpenConfig:
        return self._config

    @property
    def description(self) -> str:
        """One line for reports: library, device and precision."""
        return self._description

    @property
    def precision(self) -> Literal["f32", "bf16"]:
        """The arithmetic in use."""
        return self._precision

    def prepare(self, part: Part = "project") -> None:
        """Compile a part now rather than at its first use."""
        self._compile(part)

    def encode(self, faces: Batch) -> Encoding:
        """E: faces (N x 3 x S x S, float32, [-1, 1]) to their encoding.

        Raises:
            ValueError: if ``faces`` has another shape or type.
        """
        check_faces(faces, self._config)
        names = ["latent", *(feature_name(size) for size in reversed(self._config.resolutions))]
        rows = [self._infer("encode", {"faces": face[None]}, names) for face in faces]
        if not rows:
            return self._empty_encoding()
        latent, *features = (np.concatenate(column) for column in zip(*rows, strict=True))
        return Encoding(latent=latent, features=tuple(features))

    def decode(self, encoding: Encoding) -> Batch:
        """G: an encoding to faces (N x 3 x S x S, float32, about [-1, 1], not clipped).

        Raises:
            ValueError: if the encoding is not one of this configuration.
        """
        check_encoding(encoding, self._config)
        count = encoding.latent.shape[0]
        sizes = tuple(reversed(self._config.resolutions))
        faces = np.empty((count, 3, self._config.size, self._config.size), dtype=np.float32)
        for index in range(count):
            inputs = {"latent": encoding.latent[index : index + 1]}
            for size, feature in zip(sizes, encoding.features, strict=True):
                inputs[feature_name(size)] = feature[index : index + 1]
            (faces[index : index + 1],) = self._infer("decode", inputs, ["restored"])
        return faces

    def project(self, faces: Batch) -> Batch:
        """G(E(faces)) as one graph: N x 3 x S x S float32 in [-1, 1] to the same, not clipped.

        Raises:
            ValueError: if ``faces`` has another shape or type.
        """
        check_faces(faces, self._config)
        restored = np.empty_like(faces, order="C")
        for index, face in enumerate(faces):
            (restored[index : index + 1],) = self._infer("project", {"faces": face[None]}, ["restored"])
        return restored

    def _infer(
        self, part: Part, inputs: dict[str, NDArray[np.float32]], outputs: list[str]
    ) -> list[NDArray[np.float32]]:
        return self._compile(part).run(inputs, outputs)

    def _compile(self, part: Part) -> Network:
        with self._compile_lock:
            if part not in self._compiled:
                _log.debug("compiling the %s graph at %d for %s", part, self._config.size, self._description)
                self._compiled[part] = self._compile_now(part)
            return self._compiled[part]

    def _compile_now(self, part: Part) -> Network:
        def make() -> openvino.Model:
            return build(self._state, self._config, part)

        if self._cache is None:
            return Network(self._core.compile_model(make(), self._device, self._properties))
        return self._cache.compile(
            self._core,
            f"gpen-{self._config.size}-{part}-{self._precision}",
            identity=f"{self._identity or _digest(self._state)} {self._config} {part} {_graph_digest()}",
            build=make,
            device=self._device,
            properties=self._properties,
        )

    def _empty_encoding(self) -> Encoding:
        config = self._config
        return Encoding(
            latent=np.empty((0, LATENT_CHANNELS), np.float32),
            features=tuple(
                np.empty((0, config.channels(size), size, size), np.float32) for size in reversed(config.resolutions)
            ),
        )


def _digest(state: Mapping[str, NDArray[np.float32]]) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(state.items()):
        digest.update(f"{name} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _graph_digest() -> str:
    """Of the code that builds the graph: a new version of it may build another one from the same weights."""
    here = Path(__file__).parent
    modules = here / "export.py", here.with_name("networks") / "config.py"
    return hashlib.sha256(b"".join(module.read_bytes() for module in modules)).hexdigest()


def _checked_device(core: openvino.Core, device: str) -> str:
    available = [str(name) for name in core.available_devices]
    if device not in available:
        raise ConfigError(f"OpenVINO has no device {device} on this machine; choose one of {', '.join(available)}.")
    return device


def _checked_precision(core: openvino.Core, device: str, precision: Precision) -> Literal["f32", "bf16"]:
    if precision not in ("auto", "f32", "bf16"):
        raise ConfigError(f"precision must be auto, f32 or bf16, not {precision}.")
    capable = "BF16" in core.get_property(device, "OPTIMIZATION_CAPABILITIES")
    if precision == "bf16" and not capable:
        raise ConfigError(f"The device {device} has no bf16 arithmetic; choose the precision f32 or auto.")
    if precision == "auto":
        return "bf16" if capable else "f32"
    return precision
