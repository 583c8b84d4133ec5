"""Nodes of OpenVINO graphs that networks with a StyleGAN2 generator have in common (Karras et al., CVPR 2020)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from likeness.compute.library import load_openvino
from likeness.models.architecture import State
from likeness.models.spec import Spec

if TYPE_CHECKING:
    import openvino

__all__ = ["ACTIVATION_GAIN", "EPSILON", "LEAKY_SLOPE", "StyleNodes"]

LEAKY_SLOPE = 0.2
ACTIVATION_GAIN = math.sqrt(2.0)
"""Every leaky ReLU of the generator is times this."""

EPSILON = 1e-8
"""Added to the powers that pixel norm and demodulation divide by."""


class _Numbers(Protocol):
    @property
    def size(self) -> int: ...
    @property
    def spec(self) -> Spec: ...


_Config = TypeVar("_Config", bound=_Numbers)


class StyleNodes(ABC, Generic[_Config]):
    """The nodes of a network of an encoder and a generator, over one state dict.

    Nodes are untyped: OpenVINO's stubs do not cover the opset functions.
    """

    def __init__(self, state: State, config: _Config, *, any_batch: bool = False) -> None:
        self._state = state
        self._config = config
        self._any_batch = any_batch
        self._op: Any = load_openvino().opset13

    def model(self) -> openvino.Model:
        """The whole network: input ``faces``, output ``restored``, both N x 3 x S x S; N is 1, or any with ``any_batch``."""
        size = self._config.size
        faces = self.parameter("faces", [-1 if self._any_batch else 1, 3, size, size])
        restored = self.result("restored", self.generator(*self.encoder(faces)))
        return load_openvino().Model([restored], [faces], f"{self._config.spec.architecture}_{size}")

    @abstractmethod
    def encoder(self, faces: Any, /) -> tuple[Any, Any]:
        """Faces to the two things that the generator draws them of."""

    @abstractmethod
    def generator(self, one: Any, other: Any, /) -> Any:
        """What the encoder gives to faces."""

    def parameter(self, name: str, shape: list[int]) -> Any:
        node = self._op.parameter(shape, np.float32, name=name)
        node.output(0).set_names({name})
        return node

    def result(self, name: str, node: Any) -> Any:
        node = self._op.result(node, name=f"{name}/result")
        node.output(0).set_names({name})
        return node

    def _constant(self, array: NDArray[np.float32] | NDArray[np.float64]) -> Any:
        return self._op.constant(np.ascontiguousarray(array, dtype=np.float32))

    def _ints(self, *values: int) -> Any:
        return self._op.constant(np.array(values, dtype=np.int64))

    def _weight(self, key: str) -> NDArray[np.float32]:
        return np.asarray(self._state[key], dtype=np.float32)

    def _leaky_relu(self, node: Any) -> Any:
        return self._op.prelu(node, self._constant(np.array([LEAKY_SLOPE])))

    def _linear(self, node: Any, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> Any:
        product = self._op.matmul(node, self._constant(weight), False, True)
        return self._op.add(product, self._constant(bias[None]))

    def _convolution(self, node: Any, kernel: Any, *, stride: int = 1, pad: int = 0) -> Any:
        return self._op.convolution(node, kernel, [stride, stride], [pad, pad], [pad, pad], [1, 1])

    def _per_channel(self, vector: Any) -> Any:
        """N x C to N x C x 1 x 1."""
        return self._op.unsqueeze(vector, self._ints(2, 3))

    def _reshaped(self, node: Any, *shape: int) -> Any:
        return self._op.reshape(node, self._ints(*shape), False)

    def _parts(self, vector: Any, count: int) -> list[Any]:
        """N x C in equal parts of its channels."""
        return [vector] if count == 1 else self._op.split(vector, self._op.constant(np.int64(1)), count).outputs()

    def _demodulation(self, scale: Any, weight: NDArray[np.float32]) -> Any:
        """The factor of every output channel under a style, times the activation's gain, N x C."""
        op = self._op
        energy = np.square(weight, dtype=np.float64).sum(axis=(2, 3))
        power = op.matmul(op.multiply(scale, scale), self._constant(energy), False, True)
        return op.divide(
            self._constant(np.array([ACTIVATION_GAIN])), op.sqrt(op.add(power, self._constant(np.array([EPSILON]))))
        )
