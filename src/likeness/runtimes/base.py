"""What every runtime offers: the network's two halves on float32 arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from likeness.compute.forks import refuse_after_fork
from likeness.networks.config import LATENT_CHANNELS, GpenConfig

__all__ = ["Batch", "Encoding", "Runtime", "check_array", "check_encoding", "check_faces"]

Batch = NDArray[np.float32]
"""Faces for the network: N x 3 x S x S, RGB, float32 in [-1, 1]."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Encoding:
    """What the encoder half hands to the generator half.

    Attributes:
        latent: N x 512, the latent z before the mapping network.
        features: the encoder's maps from S x S down to 4 x 4, each N x channels(r) x r x r.
    """

    latent: NDArray[np.float32]
    features: tuple[NDArray[np.float32], ...]


class Runtime(Protocol):
    """A GPEN network ready to run somewhere. Thread-safe."""

    @property
    def config(self) -> GpenConfig: ...

    @property
    def description(self) -> str:
        """One line for reports: library, device and precision."""
        ...

    def encode(self, faces: Batch) -> Encoding:
        """E: faces (N x 3 x S x S, [-1, 1]) to their encoding."""
        ...

    def decode(self, encoding: Encoding) -> Batch:
        """G: an encoding to faces (N x 3 x S x S, about [-1, 1], not clipped)."""
        ...

    def project(self, faces: Batch) -> Batch:
        """G(E(faces)) in one go: the projection onto the manifold of sharp faces."""
        ...


def check_faces(faces: Batch, config: GpenConfig) -> None:
    """Whether these are faces for a network, and whether it can work in this process.

    Raises:
        ValueError: if ``faces`` is not N x 3 x S x S float32.
        ForkError: if the process was forked from one that had loaded networks.
    """
    refuse_after_fork()
    check_array("faces", faces, (faces.shape[0] if faces.ndim else 0, 3, config.size, config.size))


def check_array(name: str, array: NDArray[np.float32], shape: tuple[int, ...]) -> None:
    """Whether an array is float32 and of a shape, whose first figure is the number of faces.

    Raises:
        ValueError: if it is not.
    """
    if array.shape != shape or array.dtype != np.float32:
        expected = " x ".join(["N", *map(str, shape[1:])])
        raise ValueError(f"{name} must be {expected} float32, not {array.shape} {array.dtype}")


def check_encoding(encoding: Encoding, config: GpenConfig) -> None:
    """Whether this is an encoding that a network's generator half can read.

    Raises:
        ValueError: if a part is missing, or has another shape or type.
    """
    count = encoding.latent.shape[0] if encoding.latent.ndim else 0
    check_array("latent", encoding.latent, (count, LATENT_CHANNELS))
    sizes = config.resolutions[::-1]
    if len(encoding.features) != len(sizes):
        raise ValueError(f"an encoding needs {len(sizes)} feature maps, not {len(encoding.features)}")
    for size, feature in zip(sizes, encoding.features, strict=True):
        check_array(f"feature_{size}", feature, (count, config.channels(size), size, size))
