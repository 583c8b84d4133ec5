"""From a model's name to a runtime."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import Literal

from likeness.checkpoints.store import Store
from likeness.errors import ConfigError, MissingExtraError
from likeness.runtimes.base import Runtime

__all__ = ["load_runtime"]


def load_runtime(
    store: Store,
    model: str | Path,
    *,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    precision: Literal["auto", "f32", "bf16"] = "auto",
    threads: int | None = None,
) -> Runtime:
    """Load a model and make it ready: OpenVINO on the processor, PyTorch on a CUDA device.

    "auto" takes a CUDA device where PyTorch is installed and finds one, else the processor.

    Raises:
        CheckpointError: if the model cannot be had.
        MissingExtraError: if ``device`` is "cuda" and PyTorch is not installed.
        ConfigError: if ``device`` is "cuda" and there is none.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise ConfigError(f'device must be auto, cpu or cuda, not "{device}"')
    checkpoint = store.load(model)
    if device != "cpu" and _cuda(required=device == "cuda"):
        from likeness.runtimes.torch_ import TorchRuntime

        return TorchRuntime(checkpoint.state, checkpoint.config, device="cuda", precision=precision)
    from likeness.runtimes.openvino_ import OpenVinoRuntime

    return OpenVinoRuntime(checkpoint.state, checkpoint.config, precision=precision, threads=threads)


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
            raise MissingExtraError('device cuda needs PyTorch: pip install "likeness[torch]"') from None
        return False
    if torch.cuda.is_available():
        return True
    if required:
        raise ConfigError("no CUDA device was found: use --device cpu")
    return False
