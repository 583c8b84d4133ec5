"""Who does the work: threads of this process, or the workers of a Ray cluster (`likeness.batch.ray_`)."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Protocol

from likeness.batch.apart import Apart
from likeness.batch.journal import Item, Journal
from likeness.batch.lanes import Lanes
from likeness.batch.network import Answer, NetworkPlan, PictureWork
from likeness.batch.runner import Done, run, run_apart
from likeness.batch.storage import Storage
from likeness.batch.work import Result
from likeness.compute.cancellation import cancellable

__all__ = ["Executor", "LocalExecutor"]


class Executor(Protocol):
    """Works through a journal's queue."""

    @property
    def counts(self) -> tuple[int, int]:
        """How many faces the network was asked about, and how many it need not be, since the executor began."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What the guard could not measure, one sentence each."""
        ...

    def run(
        self, journal: Journal, *, group: str | None = None, stop: threading.Event | None = None
    ) -> Generator[Done]:
        """Work until the queue is empty; see `likeness.batch.runner.run`. May be called again."""
        ...

    def end(self) -> None:
        """Break off what is in work, which waits in the queue again; called within a signal's handler."""
        ...

    def close(self) -> None:
        """Give back what was taken. May be called twice."""
        ...


class LocalExecutor:
    """An `Executor` of this machine: processes of a core each, or threads that share one network.

    What was in work when an earlier run's process died is done first, one by one in a process apart: if it dies again, this
    one goes on.

    Args:
        network: loaded when the first picture needs it.
        output: where results go.
        workers: pictures at a time, where they are threads.
        lanes: processes (`likeness.batch.lanes.lanes_for`); 1 for threads.
        thumbnails: whether they are made.
    """

    def __init__(
        self, network: NetworkPlan, output: Storage, *, workers: int, lanes: int = 1, thumbnails: bool = True
    ) -> None:
        self._network = network
        self._output = output
        self._workers = workers
        self._thumbnails = thumbnails
        self._work: PictureWork | None = None
        self._most_lanes = lanes
        self._lanes: Lanes | None = None
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._asked = self._found = 0
        self._notes: set[str] = set()

    @property
    def counts(self) -> tuple[int, int]:
        asked, found = (0, 0) if self._work is None else self._work.counts
        return self._asked + asked, self._found + found

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(sorted(self._notes | set(() if self._work is None else self._work.notes)))

    def run(
        self, journal: Journal, *, group: str | None = None, stop: threading.Event | None = None
    ) -> Generator[Done]:
        """See `Executor.run`.

        Raises:
            CheckpointError, ConfigError: see `NetworkPlan.load`.
        """
        if Apart.possible():
            with closing(Apart(lambda _: self._load())) as apart:
                yield from run_apart(journal, lambda item: self._told(apart.work(item)), group=group, stop=stop)
        counts = journal.counts(group=group)
        waiting = counts["queued"] + counts["running"]
        if not waiting or (stop is not None and stop.is_set()):
            return
        lanes = self._lanes = self._lanes or self._side_by_side(waiting)
        if lanes is not None:
            yield from run(
                journal,
                lambda item: self._told(lanes.work(item)),
                workers=lanes.count,
                group=group,
                stop=stop,
                watched=True,
            )
        else:
            self._work = self._work or self._load(self._workers)
            yield from run(
                journal, partial(self._cancellable, self._work), workers=self._workers, group=group, stop=stop
            )

    def _cancellable(self, work: PictureWork, item: Item) -> Result:
        with cancellable(self._ended):
            return work.work(item)

    def end(self) -> None:
        self._ended.set()
        if self._lanes is not None:
            self._lanes.end()

    def close(self) -> None:
        if self._work is not None:
            self._work.close()
        if self._lanes is not None:
            self._lanes.close()
            self._lanes = None

    def _side_by_side(self, waiting: int) -> Lanes | None:
        """The processes for so many pictures; None where threads do the work: for one picture all cores are better."""
        count = min(self._most_lanes, waiting)
        if count < 2 or self._work is not None or not Apart.possible():
            return None
        return Lanes(lambda large: self._load(large=large), count)

    def _load(self, readers: int = 1, large: Path | None = None) -> PictureWork:
        return PictureWork(self._network, self._output, thumbnails=self._thumbnails, readers=readers, large=large)

    def _told(self, answer: Answer | None) -> Result | None:
        if answer is None:
            return None
        with self._lock:
            self._asked += answer.asked
            self._found += answer.found
            self._notes.update(answer.notes)
        return answer.result
