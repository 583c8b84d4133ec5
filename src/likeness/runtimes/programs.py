"""A network at a few fixed batch sizes: on a CUDA device one captured graph each, replayed with one call."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import nn

from likeness.errors import ConfigError
from likeness.messages.notice import Notice
from likeness.runtimes.base import Batch

__all__ = ["Programs", "float32_arithmetic", "next_batch"]

_log = logging.getLogger(__name__)

_WARM_UPS = 3
"""Passes before a capture: libraries choose algorithms and set up their workspaces in the first ones."""


class Programs:
    """Runs a network on any number of faces, in batches of fixed sizes. Thread-safe.

    On a CUDA device all goes through one stream: faces from pinned memory, a graph, the answer into pinned memory. The lock
    is held only while that is queued, so that a second thread copies its faces while the first one's are computed. Graphs
    share one pool of memory, as only one of them runs at a time.

    Args:
        network: N x 3 x S x S float32 to the same, on ``device``, without gradients.
        side: S.
        device: where the network is.
        sizes: batch sizes; others are padded or split (`next_batch`).
        exact: whether float32 convolutions must be float32 (`float32_arithmetic`).
        capture: whether to capture graphs; None for: on CUDA. Where that fails, the network is launched piece by piece.
    """

    def __init__(
        self,
        network: nn.Module,
        side: int,
        device: torch.device,
        sizes: Sequence[int],
        *,
        exact: bool,
        capture: bool | None = None,
    ) -> None:
        self._network = network
        self._side = side
        self._device = device
        self._exact = exact
        self._lock = threading.Lock()
        self._sizes = tuple(sorted(set(sizes)))
        self._programs: dict[int, _Program] = {}
        self._idle: dict[int, list[_Staging]] = {size: [] for size in self._sizes}
        on_cuda = device.type == "cuda"
        self._captures = on_cuda if capture is None else capture
        self._stream = torch.cuda.Stream(device) if on_cuda else None
        self._pool = torch.cuda.graph_pool_handle() if on_cuda else None

    @property
    def sizes(self) -> tuple[int, ...]:
        """The batch sizes in use, rising; those that the device had no memory for are left out once that was seen."""
        return self._sizes

    @property
    def captures(self) -> bool:
        """Whether graphs are captured; false once that failed."""
        return self._captures

    def prepare(self, sizes: Sequence[int] | None = None) -> None:
        """Make the programs for these sizes, or for all, now rather than at their first use."""
        for size in sorted(sizes or self._sizes, reverse=True):  # the largest first: the others fit into its memory
            with self._lock, self._on_stream():
                if size in self._sizes:
                    self._program(size)

    def run(self, faces: Batch, restored: Batch) -> None:
        """N x 3 x S x S float32 to ``restored``, of the same shape."""
        pending: deque[tuple[_Staging, int, int]] = deque()
        begin = 0
        while begin < len(faces):
            staging, count = self._submit(faces[begin:])
            pending.append((staging, begin, begin + count))
            begin += count
            if len(pending) > 1:  # one is computed while the next is copied
                self._collect(*pending.popleft(), restored)
        while pending:
            self._collect(*pending.popleft(), restored)

    def _submit(self, faces: Batch) -> tuple[_Staging, int]:
        """Queue as many of the faces as go into one batch; return where its answer will be, and how many they are."""
        while True:
            size = next_batch(len(faces), self._sizes)
            count = min(size, len(faces))
            staging = self._staging(size)
            staging.faces[:count] = faces[:count]
            with self._lock, self._on_stream():
                program = self._program(size)
                if program is None:
                    continue  # no memory for so many: try fewer
                program.faces[:count].copy_(staging.pinned_faces[:count], non_blocking=True)
                program.run()
                staging.pinned_restored[:count].copy_(program.restored[:count], non_blocking=True)
                staging.mark()
            return staging, count

    def _collect(self, staging: _Staging, begin: int, end: int, restored: Batch) -> None:
        staging.wait()
        restored[begin:end] = staging.restored[: end - begin]
        self._idle[len(staging.faces)].append(staging)  # list.pop and append are atomic

    def _staging(self, size: int) -> _Staging:
        try:
            return self._idle[size].pop()
        except IndexError:
            return _Staging(size, self._side, pinned=self._stream is not None)

    def _program(self, size: int) -> _Program | None:
        """The program for a size, or None if the device has too little memory for it, which is then never tried again."""
        program = self._programs.get(size)
        if program is None:
            try:
                program = _Program(self._network, size, self._side, self._device, exact=self._exact)
                if self._captures:
                    program.capture(self._stream, self._pool)
            except torch.OutOfMemoryError:
                smaller = tuple(other for other in self._sizes if other < size)
                if not smaller:
                    raise ConfigError(Notice("cuda.no-memory")) from None
                _log.warning("the CUDA device has no memory for %d faces at once; %d then", size, smaller[-1])
                self._sizes = smaller
                return None
            except RuntimeError as error:
                if not self._captures:
                    raise
                _log.warning("no CUDA graph can be captured (%s); launching piece by piece is slower", error)
                self._captures = False
                return self._program(size)
            self._programs[size] = program
        return program

    @contextmanager
    def _on_stream(self) -> Generator[None]:
        with torch.no_grad(), nullcontext() if self._stream is None else torch.cuda.stream(self._stream):
            yield


class _Program:
    """The network at one batch size, between two buffers on the device."""

    def __init__(self, network: nn.Module, size: int, side: int, device: torch.device, *, exact: bool) -> None:
        self._network = network
        self._exact = exact
        self._graph: torch.cuda.CUDAGraph | None = None
        self.faces = torch.zeros(size, 3, side, side, device=device)
        self.restored = torch.empty_like(self.faces)

    def capture(self, stream: torch.cuda.Stream | None, pool: Any) -> None:
        """Record what the network does, to be replayed without the cost of launching it piece by piece."""
        with float32_arithmetic(convolutions=self._exact):
            for _ in range(_WARM_UPS):
                self._network(self.faces)
            graph = torch.cuda.CUDAGraph()
            # Other threads may use the device meanwhile; "thread_local" lets them.
            with torch.cuda.graph(graph, pool=pool, stream=stream, capture_error_mode="thread_local"):
                restored = self._network(self.faces)
        self._graph, self.restored = graph, restored

    def run(self) -> None:
        if self._graph is not None:
            self._graph.replay()
            return
        with float32_arithmetic(convolutions=self._exact):
            self.restored = self._network(self.faces)


class _Staging:
    """A batch on its way to the device and back: pinned memory, as NumPy and as PyTorch see it."""

    def __init__(self, size: int, side: int, *, pinned: bool) -> None:
        self.pinned_faces = torch.zeros(size, 3, side, side, pin_memory=pinned)
        self.pinned_restored = torch.zeros(size, 3, side, side, pin_memory=pinned)
        self.faces: Batch = self.pinned_faces.numpy()
        self.restored: Batch = self.pinned_restored.numpy()
        # A blocking event lets the waiting thread sleep: its processor core has pictures to decode.
        self._event = torch.cuda.Event(blocking=True) if pinned else None

    def mark(self) -> None:
        """The answer is complete once the current stream has come here."""
        if self._event is not None:
            self._event.record()

    def wait(self) -> None:
        if self._event is not None:
            self._event.synchronize()


def next_batch(count: int, sizes: Sequence[int]) -> int:
    """The batch size to run first for so many faces, out of ``sizes`` (rising).

    The smallest that holds them all if they fill three quarters of it or there is none below; else the largest that they
    fill. So 3 faces run as one batch of 4, and 5 as 4 and 1.
    """
    fitting = next((size for size in sizes if size >= count), None)
    filled = [size for size in sizes if size <= count]
    if fitting is not None and (not filled or 4 * count >= 3 * fitting):
        return fitting
    return filled[-1]


@contextmanager
def float32_arithmetic(*, convolutions: bool) -> Generator[None]:
    """Matrix products, and convolutions if they are to be, in float32 without TF32; PyTorch's settings are put back.

    A captured graph keeps what was set during its capture. The settings belong to the process: another thread that uses
    PyTorch in the meantime is exact, too. Only what differs is touched, operator by operator, as PyTorch refuses to read its
    older, coarser switches where operators differ.
    """
    products: Any = torch.backends.cuda.matmul
    backends: list[Any] = [products, torch.backends.cudnn.conv] if convolutions else [products]  # pyright: ignore[reportAttributeAccessIssue]
    changed: list[tuple[Any, str]] = []
    for backend in backends:
        found = backend.fp32_precision
        if found not in ("ieee", "none"):
            changed.append((backend, found))
            backend.fp32_precision = "ieee"
    try:
        yield
    finally:
        for backend, found in changed:
            backend.fp32_precision = found
