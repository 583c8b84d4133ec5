"""What every runtime offers: a network that runs on float32 arrays."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from likeness.compute.forks import refuse_after_fork
from likeness.models.gpen.config import GpenConfig

__all__ = ["Batch", "Runtime", "check_faces"]

Batch = NDArray[np.float32]
"""Faces for the network: N x 3 x S x S, RGB, float32 in [-1, 1]."""


class Runtime(Protocol):
    """A GPEN network ready to run somewhere. Thread-safe."""

    @property
    def config(self) -> GpenConfig: ...

    @property
    def description(self) -> str:
        """One line for reports: library, device and precision."""
        ...

    def run(self, faces: Batch) -> Batch:
        """The network's answer, N x 3 x S x S, about [-1, 1] and not clipped: for GPEN G(E(faces)), the projection onto the
        manifold of sharp faces.

        Raises:
            ValueError: if ``faces`` has another shape or type.
        """
        ...


def check_faces(faces: Batch, config: GpenConfig) -> None:
    """Whether these are faces for a network, and whether it can work in this process.

    Raises:
        ValueError: if ``faces`` is not N x 3 x S x S float32.
        ForkError: if the process was forked from one that had loaded networks.
    """
    refuse_after_fork()
    side = config.size
    if faces.shape[1:] != (3, side, side) or faces.dtype != np.float32:
        raise ValueError(f"faces must be N x 3 x {side} x {side} float32, not {faces.shape} {faces.dtype}")
