"""The CPU runtime of the base install: OpenVINO.

Nothing leaves the machine: openvino's own telemetry is kept from starting (see `likeness.compute.library`), and a test
watches the sockets.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from likeness.compute.compiled import CompiledCache, compile_network, digest_of_code, digest_of_weights
from likeness.compute.library import load_openvino, shared_core
from likeness.compute.network import Network
from likeness.errors import ConfigError
from likeness.messages.notice import Notice
from likeness.models.conversion import convert_module
from likeness.models.onnx_file import open_onnx
from likeness.models.registry import architecture_of
from likeness.models.spec import Spec
from likeness.models.style_nodes import StyleNodes
from likeness.runtimes.base import Batch, check_batch, check_threads

if TYPE_CHECKING:
    import openvino

__all__ = ["OpenVinoRuntime", "Precision", "checked_precision"]

Precision = Literal["auto", "f32", "bf16"]
"""Arithmetic of the network; ``auto`` is bf16 where the processor has it, else f32."""

_log = logging.getLogger(__name__)


class OpenVinoRuntime:
    """A network on OpenVINO; implements `likeness.runtimes.base.Runtime`. Thread-safe.

    The network is compiled when it is first used. Images run one after the other: one face fills the processor, and a batch
    of them was measured to be no faster.

    Args:
        state: the network's weights under their published names, float32; kept for that, and not looked at
            where the network comes compiled from ``cache``.
        spec: the network; its architecture must have a graph.
        precision: arithmetic; inputs and outputs are float32 in any case.
        threads: processor threads, or None for what OpenVINO finds best.
        cache: where compiled networks are kept, which makes the next start faster (about the size of the float32
            weights each); None for no cache.
        identity: a digest of ``state``, for ``cache``; taken of ``state`` itself if None, which reads it.
        device: an OpenVINO device name.
        file: an ONNX file that is the network, as it is; ``state`` is then empty and ``identity`` is the file's.

    Raises:
        ConfigError: if the device is not there, cannot do the precision, or ``threads`` is below 1.
    """

    def __init__(
        self,
        state: Mapping[str, NDArray[np.float32]],
        spec: Spec,
        *,
        precision: Precision = "auto",
        threads: int | None = None,
        cache: CompiledCache | None = None,
        identity: str | None = None,
        device: str = "CPU",
        file: Path | None = None,
    ) -> None:
        openvino = load_openvino()
        self._state = state
        self._spec = spec
        self._architecture = architecture_of(spec)
        self._core = shared_core()
        self._cache = cache
        self._identity = identity
        self._file = file
        self._device = _checked_device(self._core, device)
        self._precision: Literal["f32", "bf16"] = checked_precision(self._core, device, precision, best=spec.precision)
        self._properties: dict[str, Any] = {"INFERENCE_PRECISION_HINT": self._precision, "PERFORMANCE_HINT": "LATENCY"}
        check_threads(threads)
        if threads is not None:
            self._properties["INFERENCE_NUM_THREADS"] = threads
        name = str(self._core.get_property(device, "FULL_DEVICE_NAME")).strip()
        version = openvino.get_version().split("-")[0]
        self._description = f"OpenVINO {version}, {device} ({name}), {self._precision}"
        self._network: Network | None = None
        self._compile_lock = threading.Lock()

    @property
    def spec(self) -> Spec:
        return self._spec

    @property
    def description(self) -> str:
        """One line for reports: library, device and precision."""
        return self._description

    @property
    def precision(self) -> Literal["f32", "bf16"]:
        """The arithmetic in use."""
        return self._precision

    def prepare(self) -> None:
        """Compile the network now rather than at its first use."""
        self._ready()

    def run(self, faces: Batch) -> Batch:
        """See `likeness.runtimes.base.Runtime`."""
        check_batch(faces, self._spec)
        network = self._ready()
        height, width = (side * self._spec.scale for side in faces.shape[2:])
        answers = np.empty((len(faces), self._spec.outputs, height, width), np.float32)
        for index, face in enumerate(faces):
            (answers[index : index + 1],) = network.run({network.inputs[0]: face[None]}, network.outputs)
        return answers

    def _ready(self) -> Network:
        with self._compile_lock:
            if self._network is None:
                _log.debug("compiling %s for %s", self._spec.title, self._description)
                self._network = self._compile()
            return self._network

    def _compile(self) -> Network:
        make, *code = self._made()

        def identity() -> str:
            weights = self._identity or digest_of_weights(self._state)
            return f"{weights} {self._spec.config} {digest_of_code(*code)}"

        return compile_network(
            self._core,
            f"{self._spec.architecture}-{self._spec.size or 'any'}-{self._precision}",
            cache=self._cache,
            identity=identity,
            build=make,
            device=self._device,
            properties=self._properties,
        )

    def _made(self) -> tuple[Callable[..., Any], ...]:
        """What makes the graph, and the code that it is made by."""
        file, graph, converted = self._file, self._architecture.graph, self._architecture.converted
        if file is not None:
            return lambda: open_onnx(file), open_onnx
        if graph is None and converted is not None:
            return (
                lambda: converted(self._state, self._spec.config),
                converted,
                convert_module,
                self._architecture.config,
            )
        if graph is None:
            raise ConfigError(Notice("openvino.no-graph", {"title": self._spec.title}))
        return lambda: graph(self._state, self._spec.config), graph, StyleNodes, self._architecture.config


def _checked_device(core: openvino.Core, device: str) -> str:
    if device == "CPU":  # always there, and to list the others loads what drives each
        return device
    available = [str(name) for name in core.available_devices]
    if device not in available:
        raise ConfigError(Notice("openvino.no-device", {"device": device, "known": ", ".join(available)}))
    return device


def checked_precision(
    core: openvino.Core, device: str, precision: Precision, *, best: Literal["f32", "bf16"] = "bf16"
) -> Literal["f32", "bf16"]:
    """The arithmetic that ``precision`` means on a device; ``auto`` is ``best`` where the device has bf16, else f32.

    Raises:
        ConfigError: if it is unknown, or the device does not have it.
    """
    if precision not in ("auto", "f32", "bf16"):
        raise ConfigError(Notice("openvino.precision", {"precision": precision}))
    capable = "BF16" in core.get_property(device, "OPTIMIZATION_CAPABILITIES")
    if precision == "bf16" and not capable:
        raise ConfigError(Notice("openvino.no-bf16", {"device": device}))
    if precision == "auto":
        return best if capable else "f32"
    return precision
