"""From pictures to tasks in the journal, and through the queue."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

from likeness.batch.groups import items_of
from likeness.batch.journal import Item, Journal, PutCount, Task
from likeness.batch.keeping import Keeping
from likeness.batch.known import is_gone, targets_of
from likeness.batch.options import OnFinding, WorkOptions
from likeness.batch.references import OtherPhotographs
from likeness.batch.results import names_in
from likeness.batch.sources import Source
from likeness.batch.storage import Storage, read_file
from likeness.batch.work import Result
from likeness.compute.cancellation import WorkCancelled
from likeness.core.files import TEMPORARY
from likeness.core.hashing import sha256_of_bytes
from likeness.core.outputs import FINAL, REVIEW
from likeness.core.parallel import map_in_order
from likeness.errors import ConfigError, ControlError, FileWriteError, ImageReadError, JournalError, LikenessError
from likeness.evidence.quality_gate import GuardLimits
from likeness.faces.findings import Limits
from likeness.imaging.names import result_names
from likeness.messages.notice import Notice, notice_of
from likeness.restore.config import Settings

__all__ = ["Done", "Plan", "TaskPlan", "died", "make_tasks", "redo", "run", "run_apart", "settle", "sweep"]

_log = logging.getLogger(__name__)

_READERS = 4
"""Files that are read at a time to know what they hold."""


_ABANDONED = 3600.0
"""Seconds after which nobody is still writing a temporary file beside the summary."""


_OLD = 86400.0
"""Seconds after which nobody is still writing a temporary file in a store, whatever its clock says."""


class TaskPlan(Protocol):
    """How sources become tasks: pictures (`Plan`), or videos (`likeness.batch.videos.VideoPlan`)."""

    @property
    def model(self) -> str:
        """The network's name with a digest of its weights."""
        ...

    @property
    def group(self) -> str:
        """Of the tasks."""
        ...

    def told(self, source: Source, others: OtherPhotographs) -> dict[str, Any]:
        """The options of one of them, ready for JSON; ``others`` tells what its other photographs hold.

        Raises:
            ConfigError: if its own settings cannot be used; the message names it.
        """
        ...

    def digest(self, source: Source) -> str:
        """Of its content.

        Raises:
            ImageReadError: if it cannot be read.
        """
        ...

    def names(self, names: Sequence[str], taken: Iterable[str]) -> list[str]:
        """Names of results for files of these names."""
        ...


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is the same for all pictures of a run; a `TaskPlan`.

    Attributes:
        model: the network's name with a digest of its weights.
        picture_model: the same of the network for whole pictures that the settings name; "" without one.
        settings: of the command; a picture's own are laid over them.
        on_finding, limits, guard: see `WorkOptions`.
        group: of the tasks.
    """

    model: str
    picture_model: str = ""
    settings: Settings = field(default_factory=Settings)
    on_finding: OnFinding = "flag"
    limits: Limits = field(default_factory=Limits)
    guard: GuardLimits | None = field(default_factory=GuardLimits)
    group: str = ""

    def told(self, source: Source, others: OtherPhotographs) -> dict[str, Any]:
        """See `TaskPlan`."""
        return self.options(source, others).to_dict()

    def digest(self, source: Source) -> str:
        """See `TaskPlan`."""
        return sha256_of_bytes(read_file(source.url))

    def names(self, names: Sequence[str], taken: Iterable[str]) -> list[str]:
        """See `TaskPlan`."""
        return result_names(names, taken=taken)

    def options(self, source: Source, others: OtherPhotographs) -> WorkOptions:
        """The options of one picture.

        Raises:
            ConfigError: if its own settings cannot be used together with the run's; the message names it.
        """
        settings = source.settings.over(self.settings)
        try:
            mask = settings["damage_mask"]
            damage = "" if mask is None else sha256_of_bytes(read_file(str(mask)))
            return WorkOptions.of(
                settings,
                on_finding=self.on_finding,
                limits=self.limits,
                guard=self.guard,
                damage_digest=damage,
                references_digest=others.of_references(settings["references"] or ()),
                album_digest=others.of_album(settings["album"]),
                picture_model=self.picture_model,
            )
        except (ConfigError, ControlError, ImageReadError) as error:
            own = f"{source.url}: " if source.settings != Settings() else ""
            raise ConfigError(Notice("batch.own", {"own": own, "why": notice_of(error)})) from error


@dataclass(frozen=True, kw_only=True)
class Done:
    """One picture that was worked on.

    Attributes:
        item: as it was claimed.
        result: what became of it.
        counted: whether that stands in the journal; if not, it is wanted otherwise by now.
    """

    item: Item
    result: Result
    counted: bool


def make_tasks(
    sources: Sequence[Source], journal: Journal, plan: TaskPlan, *, stop: threading.Event | None = None
) -> PutCount:
    """Put tasks for pictures, or for videos, into the journal; their files are read for it, unless their stamp says that
    they are known.

    A picture keeps the name of its result from run to run. ``IMG_1.HEIC`` beside ``IMG_1.JPG`` becomes ``IMG_1.HEIC.jpg``.

    Args:
        sources: the pictures.
        journal: where to.
        plan: what is the same for all.
        stop: if it is set, nothing is put.

    Raises:
        ConfigError: if a picture's own settings cannot be used; nothing was put then.
    """
    others = OtherPhotographs(journal)
    usual: dict[str, Any] | None = None
    options: list[dict[str, Any]] = []
    for source in sources:
        if source.settings != Settings():
            options.append(plan.told(source, others))
            continue
        # One dictionary for all pictures without settings of their own: a million would take gigabytes.
        usual = plan.told(source, others) if usual is None else usual
        options.append(usual)
    fresh: list[tuple[str, str, str]] = []

    def content(source: Source) -> str:
        if source.stamp and (known := journal.known_content(source.url, source.stamp)) is not None:
            return known
        try:
            found = plan.digest(source)
        except ImageReadError as error:
            # It becomes an item all the same, and its failure is recorded when its turn comes.
            _log.info("%s", error)
            return ""
        if source.stamp:
            fresh.append((source.url, source.stamp, found))
        return found

    contents: list[str] = []
    with closing(map_in_order(content, sources, workers=_READERS)) as read:
        for found in read:
            contents.append(found)
            if stop is not None and stop.is_set():
                break
    # Also of a run that is ended: of thousands of files the next one would have to read them all again.
    journal.remember_content(fresh)
    if stop is not None and stop.is_set():
        return PutCount()
    gone = lru_cache(maxsize=None)(is_gone)
    targets, fresh_names = targets_of(sources, contents, journal, plan, gone)

    def put() -> PutCount:
        return journal.put(
            Task(
                target=target,
                source=source.url,
                content=found,
                model=plan.model,
                options=chosen,
                group=plan.group,
                client=source.client,
                email=source.email,
            )
            for source, chosen, target, found in zip(sources, options, targets, contents, strict=True)
        )

    if not fresh_names:
        return put()
    # Another run may have put pictures of the same names meanwhile. What is slow was looked up before.
    with journal.alone_at_it():
        targets, _ = targets_of(sources, contents, journal, plan, gone)
        return put()


def run(
    journal: Journal,
    work: Callable[[Item], Result | None],
    *,
    workers: int,
    group: str | None = None,
    stop: threading.Event | None = None,
    watched: bool = False,
) -> Generator[Done]:
    """Work through the queue, several pictures at a time, until it is empty; results come in the order of the queue.

    Each result stands in the journal before it is yielded. Closing the generator, or setting ``stop``, begins no more
    pictures and finishes those that were begun. What is suspect (`Journal.claim`) is worked on while nothing else is.

    Args:
        journal: the queue.
        work: such as `PictureWorker.work`; it must be safe to call from several threads, and raise nothing but what ends the
            run. None says that the process that it was done in died: then the item is worked on alone next.
        workers: pictures at a time.
        group: only of this group; of any if None.
        stop: ends the run when it is set.
        watched: whether ``work`` is done in other processes, so that the death of this one says nothing about an item.

    Raises:
        JournalError: if the journal fails; what is done by then and could not be written down is done again.
    """
    empty = False
    keeping = Keeping(journal)

    def claimed() -> Iterator[Item]:
        nonlocal empty
        while stop is None or not stop.is_set():
            item = journal.claim(group=group, watched=watched)
            if item is None:
                return
            empty = False
            keeping.keep(item)
            yield item

    def one(item: Item) -> Done | None:
        # Into the journal at once, in the worker's thread: what is done is done, also if nobody asks for it any more.
        keeping.keep(item)
        try:
            result = work(item)
            if result is None:
                return died(journal, item)
            return Done(item=item, result=result, counted=settle(journal, item, result))
        except (LikenessError, WorkCancelled):
            with suppress(JournalError):  # which may be what was raised
                journal.release(item)
            raise
        finally:
            keeping.let_go(item)

    with keeping:
        # None may also mean that something has to be alone: only when nothing is in work does it mean that nothing waits.
        while not empty:
            empty = True
            yield from (done for done in map_in_order(one, claimed(), workers=workers) if done is not None)


def run_apart(
    journal: Journal,
    work: Callable[[Item], Result | None],
    *,
    group: str | None = None,
    stop: threading.Event | None = None,
) -> Generator[Done]:
    """Work on what is suspect, one after the other, in a process apart.

    Args:
        journal: the queue.
        work: does an item in another process; None if that process died of it.
        group, stop: see `run`.
    """
    while journal.suspects(group=group) and not (stop is not None and stop.is_set()):
        item = journal.claim(group=group, watched=True)
        if item is None or not item.suspect:  # another process was quicker
            if item is not None:
                journal.release(item)
            return
        with Keeping(journal) as keeping:
            keeping.keep(item)
            result = work(item)
        if result is not None:
            yield Done(item=item, result=result, counted=settle(journal, item, result))
            continue
        if (done := died(journal, item)) is not None:
            yield done


def died(journal: Journal, item: Item) -> Done | None:
    """Give back an item whose process died; with it, if that was once too often."""
    _log.info("%s: its process died, or took too long", item.source)
    journal.release(item, counted=True)
    after = journal.get(item.target, group=item.group)
    if after is None or after.state != "failed":
        return None
    why = Notice("batch.named", {"source": item.source, "reason": Notice.of(after.reason)})
    return Done(item=after, result=Result(state="failed", reason=why), counted=True)


def settle(journal: Journal, item: Item, result: Result) -> bool:
    """Give an item back with its result; whether that counted (`Journal.finish`)."""
    outcome = {**result.outcome, "notice": result.reason.to_dict()} if result.reason else result.outcome
    if result.state == "failed":
        return journal.fail(item, result.reason, retry=result.retry, outcome=outcome)
    return journal.finish(item, result.state, reason=result.reason, outcome=outcome, thumbnails=result.thumbnails)


def redo(journal: Journal, output: Storage, *, failed: bool = False, missing: bool = False) -> int:
    """Queue again what failed, or what has no result in the output any more; how many items that were."""
    count = 0
    if failed:
        count += sum(journal.requeue(item) for item in list(items_of(journal, ["failed"])))
    if missing:
        # First the items: what another process finishes meanwhile is in the listing then, and not among them.
        items = list(items_of(journal, [FINAL, REVIEW]))
        there = {name for folder in (FINAL, REVIEW) for name in names_in(output, folder)}
        for item in items:
            # Somebody who looked at it may have moved it from one folder to the other.
            if not {f"{folder}/{item.target}" for folder in (FINAL, REVIEW)} & there:
                count += journal.requeue(item)
    return count


def sweep(journal: Journal, output: Storage) -> int:
    """Remove temporary files that a killed process left among the results; how many. Not while another process is at work,
    whose they might be; in a store, where one of another machine may be, only those of a day ago and more."""
    looked = time.time()
    if not journal.alone:
        return 0
    if output.path is None:
        try:
            return output.remove_left(looked - _OLD)
        except FileWriteError as error:
            _log.info("temporary files of killed runs are left: %s", error)
            return 0
    pattern = f"{TEMPORARY[0]}*{TEMPORARY[1]}"
    count = 0
    # A newer one may be that of a process that has begun since; and beside the summary proofs and the like are written.
    for parts, latest in (
        *(((output.path / folder).rglob(pattern), looked) for folder in (FINAL, REVIEW)),
        (output.path.glob(pattern), looked - _ABANDONED),
    ):
        for part in parts:
            with suppress(FileNotFoundError):
                if part.stat().st_mtime <= latest:
                    part.unlink()
                    count += 1
    return count
