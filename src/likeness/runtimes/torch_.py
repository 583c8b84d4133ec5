"""The network in PyTorch: on a CUDA device, or as the reference that other runtimes are held to."""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from likeness.errors import ConfigError, MissingExtraError
from likeness.networks.config import GpenConfig
from likeness.runtimes.base import Batch, Encoding

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["TorchRuntime"]


class TorchRuntime:
    """Implements `Runtime`.

    Args:
        state: state dict with the published key names, float32.
        config: the network.
        device: "cpu" or "cuda".
        precision: "f32", "bf16", or "auto": bf16 on CUDA, f32 on the processor.

    Raises:
        MissingExtraError: if PyTorch is not installed.
        ConfigError: if there is no such device.
    """

    def __init__(
        self,
        state: Mapping[str, NDArray[np.float32]],
        config: GpenConfig,
        *,
        device: Literal["cpu", "cuda"] = "cpu",
        precision: Literal["auto", "f32", "bf16"] = "auto",
    ) -> None:
        try:
            import torch
        except ImportError:
            raise MissingExtraError('this needs PyTorch: pip install "likeness[torch]"') from None
        from likeness.networks.gpen import Gpen

        if device == "cuda" and not torch.cuda.is_available():
            raise ConfigError("no CUDA device was found: use --device cpu")
        self._torch = torch
        self._config = config
        self._device = device
        self._half = precision == "bf16" or (precision == "auto" and device == "cuda")
        self._lock = threading.Lock()
        network = Gpen(config)
        network.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in state.items()})
        self._network = network.eval().requires_grad_(False).to(device)

    @property
    def config(self) -> GpenConfig:
        return self._config

    @property
    def description(self) -> str:
        return f"PyTorch {self._torch.__version__}, {self._device}, {'bf16' if self._half else 'f32'}"

    def encode(self, faces: Batch) -> Encoding:
        with self._running():
            latent, features = self._network.encode(self._to_device(faces))
            return Encoding(latent=_to_numpy(latent), features=tuple(_to_numpy(feature) for feature in features))

    def decode(self, encoding: Encoding) -> Batch:
        with self._running():
            features = tuple(self._to_device(feature) for feature in encoding.features)
            return _to_numpy(self._network.decode(self._to_device(encoding.latent), features))

    def project(self, faces: Batch) -> Batch:
        with self._running():
            return _to_numpy(self._network(self._to_device(faces)))

    @contextmanager
    def _running(self) -> Generator[None]:
        """One call at a time, without gradients, in this runtime's precision."""
        torch = self._torch
        with self._lock, torch.no_grad(), torch.autocast(self._device, torch.bfloat16, enabled=self._half):
            yield

    def _to_device(self, array: NDArray[np.float32]) -> Tensor:
        tensor = self._torch.from_numpy(np.ascontiguousarray(array)).to(self._device)
        return tensor.contiguous(memory_format=self._torch.channels_last) if tensor.ndim == 4 else tensor


def _to_numpy(tensor: Tensor) -> NDArray[np.float32]:
    return tensor.float().contiguous().cpu().numpy()
