"""The network on ONNX Runtime: for devices that neither OpenVINO nor PyTorch drives, such as DirectML's and CoreML's."""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from likeness.compute.cancellation import checkpoint
from likeness.compute.onnx_graph import to_onnx
from likeness.errors import ConfigError, MissingExtraError
from likeness.messages.notice import Notice
from likeness.models.architecture import State
from likeness.models.registry import architecture_of
from likeness.models.spec import Spec
from likeness.runtimes.base import Batch, check_batch, check_threads

__all__ = ["BATCH", "OnnxDevice", "OnnxRuntime", "load_onnxruntime"]

OnnxDevice = Literal["auto", "cpu", "cuda", "directml", "coreml"]

BATCH = 8
"""Most faces at once on a device that is not the processor."""

_log = logging.getLogger(__name__)


class _Provider(NamedTuple):
    name: str
    options: dict[str, str]


_PROVIDERS: Mapping[str, _Provider] = {
    # TF32 keeps 10 bits of every number that it multiplies.
    "cuda": _Provider("CUDAExecutionProvider", {"use_tf32": "0"}),
    "directml": _Provider("DmlExecutionProvider", {}),
    # The older format of CoreML computes in float16 only.
    "coreml": _Provider("CoreMLExecutionProvider", {"ModelFormat": "MLProgram"}),
    "cpu": _Provider("CPUExecutionProvider", {}),
}
"""By the names of devices, the one that "auto" takes first standing first."""


def load_onnxruntime() -> Any:
    """The library onnxruntime, which has no complete types.

    Raises:
        MissingExtraError: if it is not installed.
    """
    try:
        return importlib.import_module("onnxruntime")
    except ImportError:
        raise MissingExtraError(Notice("onnx.no-onnxruntime")) from None


class OnnxRuntime:
    """A network on ONNX Runtime; implements `likeness.runtimes.base.Runtime`. Thread-safe.

    It computes in float32. On the processor images run one after the other, elsewhere up to `BATCH` at once. A part of the
    network that the device's provider does not know is computed on the processor, as ONNX Runtime has it.

    Args:
        state: the network's weights under their published names, float32; not kept.
        spec: the network; its architecture must have a graph.
        device: where it runs; "auto" takes the first of CUDA, DirectML, CoreML and the processor that works.
        threads: processor threads, or None for what ONNX Runtime finds best.
        file: an ONNX file that is the network, as it is; ``state`` is then empty.

    Raises:
        MissingExtraError: if onnx or onnxruntime is not installed.
        ConfigError: if the installed onnxruntime has no such device, it does not work, or ``threads`` is below 1.
    """

    def __init__(
        self,
        state: State,
        spec: Spec,
        *,
        device: OnnxDevice = "auto",
        threads: int | None = None,
        file: Path | None = None,
    ) -> None:
        check_threads(threads)
        library = load_onnxruntime()
        self._spec = spec
        # Files of others are for one face at a time.
        self._most = BATCH if file is None else 1
        model = _written(state, spec) if file is None else file.read_bytes()
        self._device, self._session = _started(library, model, device, threads)
        self._input = str(self._session.get_inputs()[0].name)
        self._output = str(self._session.get_outputs()[0].name)
        # DirectML's provider takes one call at a time.
        self._turn = threading.Lock() if self._device == "directml" else nullcontext()
        self._description = f"ONNX Runtime {library.__version__}, {self._device}, f32"

    @property
    def spec(self) -> Spec:
        return self._spec

    @property
    def description(self) -> str:
        """One line for reports: library, device and precision."""
        return self._description

    @property
    def device(self) -> str:
        """Where it runs; never "auto"."""
        return self._device

    def run(self, faces: Batch) -> Batch:
        """See `likeness.runtimes.base.Runtime`.

        Raises:
            ValueError: if ``faces`` has another shape or type.
            ConfigError: if the device fails, as when its memory is too small.
        """
        check_batch(faces, self._spec)
        height, width = (side * self._spec.scale for side in faces.shape[2:])
        answers = np.empty((len(faces), self._spec.outputs, height, width), np.float32)
        step = 1 if self._device == "cpu" else self._most
        for begin in range(0, len(faces), step):
            checkpoint()
            some = np.ascontiguousarray(faces[begin : begin + step])
            try:
                with self._turn:
                    (answers[begin : begin + step],) = self._session.run([self._output], {self._input: some})
            except Exception as error:  # ONNX Runtime's own have no common ancestor
                raise ConfigError(Notice("onnx.failed", {"device": self._device, "why": _first_line(error)})) from error
        return answers


def _written(state: State, spec: Spec) -> bytes:
    graph = architecture_of(spec).graph
    if graph is None:
        raise ConfigError(Notice("onnx.no-graph", {"title": spec.title}))
    return to_onnx(graph(state, spec.config, any_batch=True)).SerializeToString()


def _started(library: Any, model: bytes, device: OnnxDevice, threads: int | None) -> tuple[str, Any]:
    """The device that is used, and a session there.

    Raises:
        ConfigError: if the device is not there, or does not work.
    """
    available = [name for name, provider in _PROVIDERS.items() if provider.name in library.get_available_providers()]
    if device != "auto" and device not in available:
        raise ConfigError(Notice("onnx.no-device", {"device": device, "available": ", ".join(available)}))
    *others, last = available if device == "auto" else [device]
    for name in others:
        started = _tried(library, model, name, threads)
        if not isinstance(started, Notice):
            return name, started
        _log.warning("%s; the next device is tried", started)
    started = _tried(library, model, last, threads)
    if isinstance(started, Notice):
        raise ConfigError(started)
    return last, started


def _tried(library: Any, model: bytes, device: str, threads: int | None) -> Any:
    """A session, or a notice why there can be none."""
    try:
        return _session(library, model, device, threads)
    except Exception as error:  # ONNX Runtime's own have no common ancestor
        return Notice("onnx.failed", {"device": device, "why": _first_line(error)})


def _session(library: Any, model: bytes, device: str, threads: int | None) -> Any:
    provider = _PROVIDERS[device]
    options = library.SessionOptions()
    options.log_severity_level = 3  # errors; it has a remark on every part that is left to the processor
    if threads is not None:
        options.intra_op_num_threads = threads
    if device == "directml":
        options.enable_mem_pattern = False  # as its documentation asks
    providers = [(provider.name, provider.options)]
    if device != "cpu":
        providers.append((_PROVIDERS["cpu"].name, {}))
    session = library.InferenceSession(model, options, providers=providers)
    # A provider whose libraries are missing is left out with a line on the console, and the processor takes its place.
    if session.get_providers()[0] != provider.name:
        raise RuntimeError(f"{provider.name} did not start: its libraries are missing or do not fit")
    return session


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:300] or type(error).__name__
