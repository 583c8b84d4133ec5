"""The same batch on a Ray cluster: a network per worker, pictures handed out one by one.

The journal stays with the driver, which alone reads and writes it: a worker is sent an item and sends back its result, so
that a worker that dies, or whose machine does, takes nothing with it but the attempt. What it was at goes back into the
queue, to be worked on while nothing else is, and another worker is started as soon as the cluster has room.

Who opens files: URLs are opened by the workers. Paths are opened by the driver and their bytes travel, unless they are the
same on every node.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from likeness.batch.journal import Item, Journal
from likeness.batch.keeping import PATIENCE
from likeness.batch.network import Answer, NetworkPlan
from likeness.batch.ray_cluster import Cluster
from likeness.batch.ray_worker import Begin, Travelling, Worker, Workplace
from likeness.batch.results import deliver
from likeness.batch.runner import Done, settle
from likeness.batch.storage import Storage, is_url
from likeness.batch.work import Handed, Result, read_source, unexpected, unread, withdrawn
from likeness.errors import BatchError, ConfigError, FileWriteError, ImageError, LikenessError
from likeness.messages.notice import Notice
from likeness.models.formats import spec_for_task
from likeness.models.store import Store
from likeness.restore.config import Settings

__all__ = ["RayExecutor", "picture_executor"]

_log = logging.getLogger(__name__)

_AHEAD = 2
"""Items that a worker holds: the one it is at, and one whose bytes travel meanwhile."""

_TICK = 0.5
"""Seconds after which a driver that waits looks whether it is to stop."""

_FALSE_STARTS = 5
"""So many workers in a row that die before they are ready are no accident."""

_ROOM_SAID = 60.0
"""Seconds between warnings that no worker could be started."""


@dataclass(eq=False, kw_only=True)
class _Slot:
    """A worker and what it was sent, oldest first; ``starting`` until it is ready."""

    actor: Any
    starting: Any
    node: str = ""
    sent: deque[tuple[Any, Item]] = field(default_factory=deque[tuple[Any, Item]])
    since: float = 0.0


class RayExecutor:
    """An `Executor` of Ray actors; for one thread.

    Args:
        cluster: whose workers they are; closed with the executor.
        begin: what each worker does first.
        weights: the networks' files, which are sent to every worker.
        output: where the driver writes the results; None if the workers do.
        hand: whether the driver reads sources that are paths, and sends their bytes.
        workers: how many, as far as the cluster has room.
        processors, devices: CPUs and GPUs of each worker.
        patience: seconds after which a worker that is at the same picture is killed.
    """

    def __init__(
        self,
        cluster: Cluster,
        begin: Begin,
        *,
        weights: Sequence[Path] = (),
        output: Storage | None = None,
        hand: bool = False,
        workers: int,
        processors: int = 1,
        devices: int = 0,
        patience: float = PATIENCE,
    ) -> None:
        self._cluster = cluster
        self._ray = cluster.ray
        self._begin = self._ray.put(begin)
        self._weights = [self._ray.put(file.read_bytes()) for file in weights]
        self._output = output
        self._hand = hand
        self._workers = workers
        self._patience = patience
        self._class = self._ray.remote(num_cpus=processors, num_gpus=devices, max_restarts=0)(Worker)
        self._slots: list[_Slot] = []
        self._false_starts = 0
        self._asked = self._found = 0
        self._notes: set[str] = set()
        self._closed = False

    @property
    def counts(self) -> tuple[int, int]:
        return self._asked, self._found

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(sorted(self._notes))

    def run(
        self, journal: Journal, *, group: str | None = None, stop: threading.Event | None = None
    ) -> Generator[Done]:
        """Work until the queue is empty; results come as they are done.

        Each result stands in the journal before it is yielded. Setting ``stop`` sends no more pictures and finishes those
        that were sent; closing the generator gives everything back at once.

        Raises:
            BatchError: if workers cannot begin.
        """
        counts = journal.counts(group=group)
        wanted = min(self._workers, counts["queued"] + counts["running"])
        renewed = warned = time.monotonic()
        try:
            while wanted:
                if stop is not None and stop.is_set():
                    # What was sent is finished: Ray would also let go of an item that its worker is at.
                    waiting = False
                else:
                    while len(self._slots) < wanted:
                        self._slots.append(self._start())
                    waiting = yield from self._hand_out(journal, group)
                if not waiting and not any(slot.sent for slot in self._slots):
                    return
                yield from self._collect(journal)
                now = time.monotonic()
                if now - renewed > journal.lease / 3:
                    renewed = now
                    for _, item in (pair for slot in self._slots for pair in slot.sent):
                        journal.renew(item)
                if all(slot.starting is not None for slot in self._slots):
                    if now - warned > _ROOM_SAID:
                        warned = now
                        _log.warning("no worker is ready yet: the cluster has no room for one, or is slow to load it")
                else:
                    warned = now
        finally:
            self._drop(journal, [slot for slot in self._slots if slot.sent])

    def end(self) -> None:
        """See `Executor.end`: the interrupt reaches `run`, which gives everything back."""

    def close(self) -> None:
        """End the workers, and leave the cluster."""
        if self._closed:
            return
        self._closed = True
        for slot in self._slots:
            self._ray.kill(slot.actor)
        self._slots.clear()
        self._cluster.close()

    def _start(self) -> _Slot:
        actor = self._class.remote()
        return _Slot(actor=actor, starting=actor.begin.remote(self._begin, *self._weights))

    def _hand_out(self, journal: Journal, group: str | None) -> Generator[Done, None, bool]:
        """Send items to whoever has room, one to each before a second one to any; whether more may wait in the queue."""
        for room in range(1, _AHEAD + 1):
            for slot in self._slots:
                while slot.starting is None and len(slot.sent) < room:
                    # Watched: this process sees a worker die, and its own death says nothing about the picture.
                    item = journal.claim(group=group, watched=True)
                    if item is None:
                        return False
                    handed: Handed | None = None
                    if self._hand and not is_url(item.source):
                        try:
                            handed = read_source(item)
                        except ImageError as error:
                            yield _done(journal, item, self._written(item, unread(error, opened=False)))
                            continue
                    if not slot.sent:
                        slot.since = time.monotonic()
                    slot.sent.append((slot.actor.work.remote(item, handed), item))
        return True

    def _collect(self, journal: Journal) -> Generator[Done]:
        """Wait a moment, and take what is done."""
        pending: dict[Any, _Slot] = {}
        for slot in self._slots:
            if slot.starting is not None:
                pending[slot.starting] = slot
            elif slot.sent:
                # A worker does what it was sent in order, so its first answer is the first to come.
                pending[slot.sent[0][0]] = slot
        if not pending:
            time.sleep(_TICK)
            return
        ready, _ = self._ray.wait(list(pending), num_returns=1, timeout=_TICK)
        if ready:
            ready, _ = self._ray.wait(list(pending), num_returns=len(pending), timeout=0)
        for reference in ready:
            slot = pending[reference]
            if slot.starting is not None:
                self._welcome(journal, slot)
            else:
                yield from self._answer(journal, slot)
        late = time.monotonic() - self._patience
        for slot in [slot for slot in self._slots if slot.sent and slot.since < late]:
            _log.warning("a worker on %s is at one picture for %.0f s and is killed", slot.node, self._patience)
            self._lose(journal, slot)

    def _welcome(self, journal: Journal, slot: _Slot) -> None:
        """A worker that has begun, or could not."""
        exceptions = self._ray.exceptions
        try:
            slot.node = self._ray.get(slot.starting)
        except exceptions.RayTaskError as error:
            cause = error.cause
            if isinstance(cause, LikenessError):
                raise cause from error
            raise BatchError(Notice("ray.worker-cannot-begin", {"why": _first_line(cause)})) from error
        except exceptions.RayError as error:
            self._false_starts += 1
            if self._false_starts >= _FALSE_STARTS:
                raise BatchError(
                    Notice("ray.workers-die", {"count": self._false_starts, "why": _first_line(error)})
                ) from error
            self._lose(journal, slot)
            return
        self._false_starts = 0
        slot.starting = None

    def _answer(self, journal: Journal, slot: _Slot) -> Generator[Done]:
        """The first answer of a worker, or the news that none will come."""
        exceptions = self._ray.exceptions
        reference, item = slot.sent[0]
        try:
            answer: Answer = self._ray.get(reference)
        except exceptions.RayTaskError as error:
            # It raises nothing on purpose: a bug, or an answer that cannot travel.
            cause = error.cause if isinstance(error.cause, Exception) else RuntimeError(str(error.cause))
            answer = Answer(
                result=Result(state="failed", reason=unexpected(item, _first_line(cause)), bug=cause),
                traceback=str(error),
            )
        except exceptions.RayError as error:
            _log.info("%s", error)
            self._lose(journal, slot)
            return
        slot.sent.popleft()
        slot.since = time.monotonic()
        self._asked += answer.asked
        self._found += answer.found
        self._notes.update(answer.notes)
        if answer.traceback:
            _log.info("on %s: %s", slot.node, answer.traceback)
        yield _done(journal, item, self._written(item, answer.result))

    def _written(self, item: Item, result: Result) -> Result:
        """The result, its file in the output."""
        if self._output is None:
            return result
        if result.data is None or result.state not in ("final", "review"):
            return withdrawn(self._output, item, result)
        try:
            replaced = deliver(self._output, item, result.state, result.data, result.outcome["digest"])
        except FileWriteError as error:
            return withdrawn(self._output, item, Result(state="failed", reason=error.notice, retry=True))
        return replace(result, data=None, outcome={**result.outcome, "replaced": list(replaced)})

    def _lose(self, journal: Journal, slot: _Slot) -> None:
        """Give up a worker; the next one is started by `run`."""
        told = " before it was ready"
        if slot.sent:
            # This one may be what it died of; the others it had not begun.
            item = slot.sent.popleft()[1]
            journal.release(item, counted=True)
            after = journal.get(item.target, group=item.group)
            failed = after is not None and after.state == "failed"
            told = f": {item.source} {'has failed' if failed else 'is queued again, alone'}"
        _log.warning("a worker%s was lost%s; the rest goes on", f" on {slot.node}" if slot.node else "", told)
        self._drop(journal, [slot])

    def _drop(self, journal: Journal, slots: Sequence[_Slot]) -> None:
        """End workers, and give back what they were sent as if it had never been."""
        for slot in slots:
            # Whatever it was: one that is only cut off must not write any more.
            self._ray.kill(slot.actor)
            self._slots.remove(slot)
            while slot.sent:
                journal.release(slot.sent.popleft()[1])


def picture_executor(
    network: NetworkPlan,
    output: Storage,
    *,
    address: str | None = None,
    workers: int | None = None,
    shared: bool = False,
    thumbnails: bool = True,
) -> RayExecutor:
    """An executor that restores pictures.

    Args:
        network: its ``threads`` are each worker's processors, 1 if None; with the device "cuda" each has a GPU, too.
        output: where results go.
        address: see `Cluster`.
        workers: how many; None for as many as the cluster has room for now.
        shared: paths are the same on every node; always so where Ray is started here.
        thumbnails: whether they are made.

    Raises:
        MissingExtraError, ConfigError: see `Cluster`.
        BatchError: see there; also if the cluster has no room for a worker.
        CheckpointError: if the network's file is not here.
    """
    settings = network.settings
    if settings["device"] not in (None, "auto", "cpu", "cuda"):
        raise ConfigError(Notice("ray.no-device", {"device": settings["device"]}))
    threads = settings["threads"] or 1
    file, picture_file = network.file, network.picture_file
    cluster = Cluster(address, processors=None if workers is None else workers * threads)
    try:
        shared = shared or cluster.local
        devices = 1 if settings["device"] == "cuda" else 0
        room = cluster.size("CPU") // threads
        if devices:
            room = min(room, cluster.size("GPU"))
        if workers is None and room < 1:
            raise BatchError(
                Notice("ray.no-node", {"threads": threads, "and_gpu": Notice("ray.and-gpu") if devices else ""})
            )
        output_is_reached = shared or output.path is None
        begin = Workplace(
            # Ray hides GPUs from workers that did not ask for one; this says so.
            network=replace(
                network,
                settings=Settings({"threads": threads, "device": "cuda" if devices else "cpu"}).over(settings),
                kept=network.kept if shared else None,
                task=spec_for_task(file, settings["task"]).purpose,
                accepted=Store().accepted,
            ),
            file=Travelling.of(file, network.model),
            picture_file=None if picture_file is None else Travelling.of(picture_file, network.picture_model),
            output=output.text if output_is_reached else None,
            thumbnails=thumbnails,
            folder=str(Path.cwd()) if shared else None,
        )
        return RayExecutor(
            cluster,
            begin,
            weights=() if cluster.local else [each for each in (file, picture_file) if each is not None],
            output=None if output_is_reached else output,
            hand=not shared,
            workers=workers or room,
            processors=threads,
            devices=devices,
        )
    except BaseException:
        cluster.close()
        raise


def _done(journal: Journal, item: Item, result: Result) -> Done:
    return Done(item=item, result=result, counted=settle(journal, item, result))


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
