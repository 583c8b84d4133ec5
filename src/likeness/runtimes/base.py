"""What every runtime offers: a network that runs on float32 arrays."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from likeness.compute.forks import refuse_after_fork
from likeness.errors import CheckpointError, ConfigError
from likeness.messages.notice import Notice
from likeness.models.spec import Spec

__all__ = ["Batch", "Runtime", "WrappedRuntime", "check_answer", "check_batch", "check_threads"]

Batch = NDArray[np.float32]
"""Images for the network: N x 3 x H x W, RGB, float32 in its range (`Spec.value_range`); faces are N x 3 x S x S. Networks
for whole photographs may take and give other samples than RGB (`Spec.inputs`, `Spec.outputs`)."""


_MOST_THREADS = 4096


class Runtime(Protocol):
    """A network ready to run somewhere. Thread-safe."""

    @property
    def spec(self) -> Spec: ...

    @property
    def description(self) -> str:
        """One line for reports: library, device and precision."""
        ...

    def run(self, faces: Batch) -> Batch:
        """The network's answer, sides times `Spec.scale`, about in its range and not clipped: for GPEN G(E(faces)), the
        projection onto the manifold of sharp faces.

        Raises:
            ValueError: if ``faces`` has another shape or type.
        """
        ...


class WrappedRuntime:
    """A runtime that passes everything on to another, for those that change something about it."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @property
    def spec(self) -> Spec:
        return self._runtime.spec

    @property
    def description(self) -> str:
        return self._runtime.description

    def run(self, faces: Batch) -> Batch:
        """See `Runtime`."""
        return self._runtime.run(faces)


def check_threads(threads: int | None) -> None:
    """Whether a network can run in so many processor threads; None leaves it to the library.

    Raises:
        ConfigError: if it is below 1, or more than any machine has.
    """
    if threads is not None and threads < 1:
        raise ConfigError(Notice("runtime.threads", {"threads": threads}))
    if threads is not None and threads > _MOST_THREADS:
        raise ConfigError(Notice("runtime.threads-most", {"most": _MOST_THREADS}))


def check_batch(images: Batch, spec: Spec) -> None:
    """Whether these are images for a network, and whether it can work in this process.

    Raises:
        ValueError: if ``images`` is not float32 of the shape that the network takes.
        ForkError: if the process was forked from one that had loaded networks.
    """
    refuse_after_fork()
    sides = images.shape[2:] if spec.size is None else (spec.size, spec.size)
    fits = images.ndim == 4 and images.shape[1:] == (spec.inputs, *sides) and 0 not in sides
    if not fits or any(side % spec.multiple for side in sides) or images.dtype != np.float32:
        wanted = (
            f"images must be N x {spec.inputs} x H x W"
            if spec.size is None
            else f"faces must be N x {spec.inputs} x {spec.size} x {spec.size}"
        )
        wanted += f" with sides of multiples of {spec.multiple}" if spec.multiple > 1 else ""
        raise ValueError(f"{wanted} float32, not {images.shape} {images.dtype}")


def check_answer(answer: NDArray[np.float32], spec: Spec) -> None:
    """Whether a network has answered with numbers: what is none would be black in the picture, if anything.

    Raises:
        CheckpointError: if a value is NaN or infinite.
    """
    # One sum instead of a mask: it is finite if and only if all of it is, in the range that networks answer in.
    with np.errstate(invalid="ignore", over="ignore"):  # infinities of both signs make NumPy warn
        total = answer.sum(dtype=np.float32)
    if not np.isfinite(total):
        raise CheckpointError(Notice("runtime.no-numbers", {"title": spec.title}))
