"""The network in PyTorch: on a CUDA device, or on a processor, where it is the reference that other runtimes are held to."""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from likeness.errors import ConfigError, MissingExtraError
from likeness.messages.notice import Notice
from likeness.models.architecture import State
from likeness.models.registry import architecture_of
from likeness.models.spec import Spec
from likeness.runtimes.base import Batch, check_batch

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["BATCH_SIZES", "TorchPrecision", "TorchRuntime"]

TorchPrecision = Literal["auto", "f32", "bf16", "f16"]
"""Arithmetic of the network; ``auto`` is f16 on a CUDA device, but for networks that lose too much by it (`Spec.precision`),
and f32 on a processor."""

BATCH_SIZES = (1, 2, 4, 8, 16)
"""Batch sizes that are captured on a CUDA device."""

_PROCESSOR_SIZES = (1, 2, 3, 4)
"""Nothing is captured on a processor, so there is no need to pad; more than a few faces at once only cost memory."""

_log = logging.getLogger(__name__)


class TorchRuntime:
    """A network in PyTorch; implements `Runtime`. Thread-safe.

    On a CUDA device `run` replays a captured CUDA graph, one for each of a few batch sizes (`likeness.runtimes.programs`).
    A size is captured when it is first used, at the cost of a few passes; `prepare` does it beforehand. ``torch.compile``
    would fuse more, but its compiler would stand between the user and the first picture, so it is left to a measurement:
    `benchmarks/gpu.py` has a row for it.

    Half precision on CUDA is float16: ten times closer to float32 than bfloat16 at the same cost (docs/speed.md), and tensor
    cores had it first. Its numbers end at 65504: a face that comes out infinite is computed again in float32.

    Args:
        state: its weights, float32; kept for that case only.
        spec: the network. One that takes images of any size is launched piece by piece.
        device: "cpu" or "cuda".
        precision: arithmetic of the convolutions; f32 is float32 throughout, without TF32. Inputs and outputs are float32 in
            any case.
        batch_sizes: the batch sizes to run; others are padded or split. None for what suits the device.

    Raises:
        MissingExtraError: if PyTorch is not installed.
        ConfigError: if there is no such device or precision, its memory is too small, or a batch size is below 1.
    """

    def __init__(
        self,
        state: State,
        spec: Spec,
        *,
        device: Literal["cpu", "cuda"] = "cpu",
        precision: TorchPrecision = "auto",
        batch_sizes: Sequence[int] | None = None,
    ) -> None:
        try:
            import torch
        except ImportError:
            raise MissingExtraError(Notice("pytorch.missing")) from None
        from likeness.runtimes.programs import Programs

        on_cuda = device == "cuda"
        if on_cuda and not torch.cuda.is_available():
            raise ConfigError(Notice("cuda.none"))
        if precision not in ("auto", "f32", "bf16", "f16"):
            raise ConfigError(Notice("pytorch.precision", {"precision": precision}))
        sizes = (BATCH_SIZES if on_cuda else _PROCESSOR_SIZES) if batch_sizes is None else batch_sizes
        if not sizes or min(sizes) < 1:
            raise ConfigError(Notice("pytorch.batch-sizes", {"sizes": str(list(sizes))}))
        self._torch = torch
        self._state: State = state
        self._spec = spec
        self._device = torch.device("cuda", torch.cuda.current_device()) if on_cuda else torch.device("cpu")
        self._precision: Literal["f32", "bf16", "f16"] = (
            ("f16" if on_cuda and spec.precision != "f32" else "f32") if precision == "auto" else precision
        )
        self._lock = threading.Lock()
        self._exact: nn.Module | None = None
        try:
            self._network = self._make(self._precision)
        except torch.OutOfMemoryError:
            raise ConfigError(Notice("cuda.no-memory")) from None
        if self._precision != "f16":
            self._state = {}
        exact = self._precision == "f32"
        self._programs = (
            None if spec.size is None else Programs(self._network, spec.size, self._device, sizes, exact=exact)
        )

    @property
    def spec(self) -> Spec:
        return self._spec

    @property
    def description(self) -> str:
        """One line for reports: library, device and precision."""
        torch = self._torch
        name = f"cuda ({torch.cuda.get_device_name(self._device)})" if self._device.type == "cuda" else "cpu"
        captured = self._programs is not None and self._programs.captures
        slower = ", without graphs" if self._device.type == "cuda" and not captured else ""
        return f"PyTorch {torch.__version__}, {name}, {self._precision}{slower}"

    @property
    def precision(self) -> Literal["f32", "bf16", "f16"]:
        """The arithmetic in use."""
        return self._precision

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """The batch sizes in use, rising; images of any size run one by one."""
        return (1,) if self._programs is None else self._programs.sizes

    def prepare(self, batch_sizes: Sequence[int] | None = None) -> None:
        """Capture the graphs for these batch sizes, or for all, now rather than at their first use.

        Raises:
            ConfigError: if the device has too little memory for one face.
        """
        if self._programs is not None:
            self._programs.prepare(batch_sizes)

    def run(self, faces: Batch) -> Batch:
        """See `likeness.runtimes.base.Runtime`.

        Raises:
            ValueError: if ``faces`` has another shape or type.
            ConfigError: if the device has too little memory for one face.
        """
        check_batch(faces, self._spec)
        height, width = (side * self._spec.scale for side in faces.shape[2:])
        restored = np.empty((len(faces), self._spec.outputs, height, width), np.float32)
        if self._programs is not None:
            self._programs.run(faces, restored)
        else:
            for index, face in enumerate(faces):
                with self._running():
                    restored[index] = _to_numpy(self._network(self._to_device(face[None])))[0]
        if self._precision == "f16":
            # The sum of a face is finite if and only if all of it is: float32 has room for it.
            sums = restored.sum(axis=(1, 2, 3), dtype=np.float32)
            for index in np.flatnonzero(~np.isfinite(sums)):
                restored[index] = self._exactly(faces[index])
        return restored

    def _exactly(self, face: NDArray[np.float32]) -> NDArray[np.float32]:
        """One face, 3 x S x S, in float32."""
        with self._running(exact=True):
            if self._exact is None:
                _log.warning("float16 cannot hold what the network makes of a face; such faces are computed in float32")
                self._exact = self._make("f32")
            return _to_numpy(self._exact(self._to_device(face[None])))[0]

    def _make(self, precision: Literal["f32", "bf16", "f16"]) -> nn.Module:
        torch = self._torch
        dtype = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}[precision]
        return architecture_of(self._spec).module(self._state, self._spec.config, dtype, self._device)

    @contextmanager
    def _running(self, *, exact: bool | None = None) -> Generator[None]:
        """One call at a time, without gradients."""
        from likeness.runtimes.programs import float32_arithmetic

        convolutions = self._precision == "f32" if exact is None else exact
        with self._lock, self._torch.no_grad(), float32_arithmetic(convolutions=convolutions):
            yield

    def _to_device(self, array: NDArray[np.float32]) -> Tensor:
        tensor = self._torch.from_numpy(np.array(array, np.float32)).to(self._device)
        return tensor.contiguous(memory_format=self._torch.channels_last) if tensor.ndim == 4 else tensor


def _to_numpy(tensor: Tensor) -> NDArray[np.float32]:
    return tensor.float().contiguous().cpu().numpy()
