"""From a model's name to a runtime."""

from __future__ import annotations

import ctypes
import logging
import sys
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from likeness.compute.compiled import default_cache
from likeness.compute.forks import refuse_after_fork
from likeness.core.hashing import known_sha256_of
from likeness.errors import ArgumentError, ConfigError, MissingExtraError
from likeness.imaging.arguments import finite_number, one_of
from likeness.messages.notice import Notice
from likeness.models.formats import Checkpoint, read_checkpoint, spec_for_task
from likeness.models.onnx_file import ONNX
from likeness.models.registry import architecture_of, check_purpose
from likeness.models.spec import FACE_PURPOSES, PURPOSES, Purpose, Spec
from likeness.models.store import Store
from likeness.runtimes.base import Runtime

__all__ = ["Device", "Library", "load_runtime"]

Device = Literal["auto", "cpu", "cuda", "directml", "coreml"]
"""Where a network can run."""

Library = Literal["auto", "openvino", "pytorch", "onnx"]
"""What can run it."""

_DEVICES: Mapping[Library, tuple[Device, ...]] = {
    "openvino": ("auto", "cpu"),
    "pytorch": ("auto", "cpu", "cuda"),
    "onnx": ("auto", "cpu", "cuda", "directml", "coreml"),
}
"""The devices that each library drives."""

_log = logging.getLogger(__name__)

_SMALL = 64
"""Side in pixels of the image that a network for any size is tried with."""


def load_runtime(
    store: Store,
    model: str | Path,
    *,
    purposes: Collection[Purpose] = FACE_PURPOSES,
    device: Device = "auto",
    precision: Literal["auto", "f32", "bf16"] = "auto",
    threads: int | None = None,
    library: Library = "auto",
    task: Purpose | None = None,
    fidelity: float | None = None,
) -> Runtime:
    """Load a model and make it ready: OpenVINO on the processor, PyTorch on a CUDA device, ONNX Runtime on others.

    "auto" takes a CUDA device where PyTorch is installed and finds one, else the processor. On a CUDA device, calls of
    several threads share batches (`BatchingRuntime`). The precision "auto" is float16 there, and bfloat16 on a processor
    that has it; ONNX Runtime computes in float32. An architecture without an OpenVINO graph runs in PyTorch on the
    processor, too. An ONNX file runs as it is, on OpenVINO or ONNX Runtime.

    Args:
        store: where models are.
        model: a name, or a file.
        purposes: what it may be for.
        device: where it shall run.
        precision: its arithmetic.
        threads: processor threads for OpenVINO and ONNX Runtime, or None for what they find best.
        library: what runs it; "auto" goes by the device.
        task: what a file runs for that does not tell (`likeness.models.formats.for_task`); None needs one that does.
        fidelity: of a network with such a weight (CodeFormer's w), in [0, 1]; None for its authors'.

    Raises:
        CheckpointError: if the model cannot be had, is for another purpose, or nothing tells which of some.
        MissingExtraError: if the library is not installed.
        ArgumentError: if something is of a type or a value that is not taken.
        ConfigError: if ``device`` is none that the library drives, is not there, or cannot run the network; with "auto" the
            latter is logged. Also if ``fidelity`` is given for a network that has none.
    """
    refuse_after_fork()
    if not isinstance(model, (str, Path)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArgumentError(f"model must be a name or a path, not {type(model).__name__}")
    one_of("precision", precision, ("auto", "f32", "bf16"))
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArgumentError(f"threads must be a whole number, not {type(threads).__name__}")
    if task is not None:
        one_of("task", task, PURPOSES)
    if fidelity is not None and not 0 <= finite_number("fidelity", fidelity) <= 1:
        raise ArgumentError(f"fidelity must be from 0 to 1, not {fidelity:g}")
    if not isinstance(device, str) or device not in get_args(Device):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigError(Notice("runtime.device", {"known": _either(get_args(Device)), "device": device}))
    if not isinstance(library, str) or library not in get_args(Library):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigError(Notice("runtime.library", {"known": _either(get_args(Library)), "library": library}))
    library = _library(library, device)
    path = store.path(model)
    spec = spec_for_task(path, task)
    check_purpose(spec, purposes, str(model))
    if fidelity is not None:
        chosen = spec.with_fidelity(fidelity)
        if chosen is None:
            raise ConfigError(Notice("runtime.no-fidelity", {"title": spec.title}))
        spec = chosen
    file = path if spec.architecture == ONNX.name else None
    if file is not None and library == "pytorch":
        raise ConfigError(Notice("onnx.no-pytorch", {"title": spec.title}))
    if library == "onnx" or (file is not None and device == "cuda"):
        return _on_onnx(path, spec, device, precision, threads, file=file)
    if file is None and library != "openvino" and device != "cpu" and _cuda(required=device == "cuda"):
        try:
            return _on_cuda(replace(read_checkpoint(path), spec=spec), precision)
        except ConfigError as error:
            if device == "cuda":
                raise
            _log.warning("%s; the processor is used", str(error).removesuffix(": use --device cpu"))
    architecture = architecture_of(spec)
    in_openvino = file is not None or architecture.graph is not None or architecture.converted is not None
    if library == "pytorch" or (library == "auto" and not in_openvino):
        from likeness.runtimes.torch_ import TorchRuntime

        return TorchRuntime(read_checkpoint(path).state, spec, precision=precision)
    cache = default_cache()
    with ThreadPoolExecutor(1) as pool:
        identity = pool.submit(
            known_sha256_of if cache is None else cache.digest_of, path
        )  # meanwhile OpenVINO is imported
        from likeness.runtimes.openvino_ import OpenVinoRuntime

        runtime = OpenVinoRuntime(
            _Weights(path),
            spec,
            precision=precision,
            threads=threads,
            cache=cache,
            identity=identity.result(),
            file=file,
        )
    # Now, so that a damaged file is told of here and not at the first face.
    runtime.prepare()
    return runtime


def _library(library: Library, device: Device) -> Library:
    """The library, which some devices leave no choice of.

    Raises:
        ConfigError: if it does not drive the device.
    """
    if library == "auto":
        return "onnx" if device in ("directml", "coreml") else "auto"
    if device not in _DEVICES[library]:
        raise ConfigError(Notice("runtime.no-device", {"library": library, "device": device}))
    return library


def _on_onnx(
    path: Path,
    spec: Spec,
    device: Device,
    precision: Literal["auto", "f32", "bf16"],
    threads: int | None,
    *,
    file: Path | None,
) -> Runtime:
    """The network on ONNX Runtime, shared by threads where that is not the processor.

    Args:
        path: the checkpoint.
        spec, device, precision, threads: see `load_runtime`.
        file: ``path``, where it is ONNX itself.

    Raises:
        MissingExtraError, ConfigError: see `load_runtime`.
    """
    from likeness.runtimes.batching import BatchingRuntime
    from likeness.runtimes.onnx_ import BATCH, OnnxRuntime

    if precision == "bf16":
        raise ConfigError(Notice("onnx.f32-only"))
    state = {} if file is not None else read_checkpoint(path).state
    runtime = OnnxRuntime(state, spec, device=device, threads=threads, file=file)
    if spec.size is None or runtime.device == "cpu":
        return runtime
    return BatchingRuntime(runtime, max_batch=BATCH)


def _either(values: tuple[str, ...]) -> str:
    return f"{', '.join(values[:-1])} or {values[-1]}"


def _on_cuda(checkpoint: Checkpoint, precision: Literal["auto", "f32", "bf16"]) -> Runtime:
    """The network on a CUDA device, shared by threads.

    Raises:
        ConfigError: if the device cannot run it.
    """
    from likeness.runtimes.batching import BatchingRuntime
    from likeness.runtimes.torch_ import BATCH_SIZES, TorchRuntime

    size = checkpoint.spec.size or _SMALL
    try:
        runtime = TorchRuntime(checkpoint.state, checkpoint.spec, device="cuda", precision=precision)
        # Captures the graph for one face, which the first picture then need not wait for, and shows that the device is fit.
        runtime.run(np.zeros((1, checkpoint.spec.inputs, size, size), np.float32))
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(Notice("cuda.failed", {"reason": reason})) from error
    return runtime if checkpoint.spec.size is None else BatchingRuntime(runtime, max_batch=max(BATCH_SIZES))


class _Weights(Mapping[str, NDArray[np.float32]]):
    """A checkpoint's weights, read when the first one is wanted: a compiled network from the cache needs none."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        return self._state[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._state)

    def __len__(self) -> int:
        return len(self._state)

    @cached_property
    def _state(self) -> Mapping[str, NDArray[np.float32]]:
        return read_checkpoint(self._path).state


def _driver() -> bool:
    """Whether NVIDIA's driver is here: asking it costs nothing, importing torch to ask costs seconds."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def _cuda(*, required: bool) -> bool:
    if not required and not _driver():
        return False
    try:
        import torch
    except ImportError:
        if required:
            raise MissingExtraError(Notice("cuda.no-pytorch")) from None
        return False
    if torch.cuda.is_available():
        return True
    blind = _driver() and not torch.backends.cuda.is_built()
    if required and blind:
        raise ConfigError(Notice("cuda.not-built"))
    if required:
        raise ConfigError(Notice("cuda.none"))
    if blind:
        _log.info("there is an NVIDIA driver, but this PyTorch was built without CUDA: the processor is used")
    return False
