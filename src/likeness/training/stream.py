"""Examples made ahead of a training loop, in order."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

__all__ = ["ordered_batches"]

_Make = Callable[[int], tuple[Tensor, ...]]


def ordered_batches(make: _Make, *, batch: int, first: int, last: int, workers: int) -> Iterator[tuple[Tensor, ...]]:
    """Batches of examples ``first`` to ``last``, in order, made ahead by ``workers`` threads (at least one).

    ``make`` gives example ``n`` as a tuple of tensors; those of one batch are stacked. Threads, not processes: the work is
    done in libraries that release the interpreter's lock, and a process forked beside the threads of PyTorch or OpenVINO may
    hang.
    """
    stop = threading.Event()
    # One queue a worker, read in turn: order does not depend on which thread is faster.
    queues: list[queue.Queue[tuple[Tensor, ...] | Exception]] = []
    starts = range(first, last - batch + 1, batch)
    for worker in range(max(1, workers)):
        queues.append(queue.Queue(maxsize=2))
        own = starts[worker :: max(1, workers)]
        threading.Thread(target=_work, args=(make, queues[-1], own, batch, stop), daemon=True).start()
    try:
        for turn in range(len(starts)):
            item = queues[turn % len(queues)].get()
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        stop.set()


def _work(
    make: _Make,
    ready: queue.Queue[tuple[Tensor, ...] | Exception],
    starts: range,
    batch: int,
    stop: threading.Event,
) -> None:
    for start in starts:
        try:
            examples = [make(start + offset) for offset in range(batch)]
            item = tuple(torch.stack(parts) for parts in zip(*examples, strict=True))
        except Exception as error:  # handed to the loop, which would wait for ever
            item = error
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.5)
                break
            except queue.Full:
                continue
        if stop.is_set() or isinstance(item, Exception):
            return
