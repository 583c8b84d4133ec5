"""What every runtime offers: the network's two halves on float32 arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from likeness.networks.config import GpenConfig

__all__ = ["Batch", "Encoding", "Runtime"]

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
