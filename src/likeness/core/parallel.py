"""Several pictures at a time: while one is in the network, others are read, aligned or written."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["map_in_order"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def map_in_order(
    work: Callable[[_Item], _Result], items: Iterable[_Item], *, workers: int, ahead: int | None = None
) -> Generator[_Result]:
    """``work`` on every item in ``workers`` threads; results come in the order of the items.

    Items are taken from ``items`` only when there is room for them, in the caller's thread, so that an endless or a slow
    iterator serves, and no more than ``workers + ahead`` items or results are held at once.

    Threads are enough: decoding, OpenCV and the networks release the interpreter's lock.

    Args:
        work: called with one item; it must be safe to call from several threads. Its exception is raised at the item's
            place, and nothing more is begun.
        items: what to work on.
        workers: threads, at least 1; with 1, ``work`` runs in the caller's thread when its result is asked for.
        ahead: finished results that may wait behind a slow item; as many as ``workers`` if None.

    Closing the generator, or an interrupt, begins nothing more and waits for what is being worked on.

    Raises:
        ValueError: if ``workers`` is below 1 or ``ahead`` below 0.
    """
    room = workers if ahead is None else ahead
    if workers < 1 or room < 0:
        raise ValueError(f"workers must be at least 1 and ahead at least 0, not {workers} and {room}")
    if workers == 1:
        for item in items:
            yield work(item)
        return
    pending: deque[Future[_Result]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="likeness") as pool:
        try:
            for item in items:
                pending.append(pool.submit(work, item))
                if len(pending) >= workers + room:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
