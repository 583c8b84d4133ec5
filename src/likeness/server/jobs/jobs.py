"""Jobs: many pictures at a time, kept in the batch's journal, so that a restart of the server loses none.

::

    <data>/journal.sqlite         every picture of every job; a job is a group of it
    <data>/jobs/<job>/in/0000     the pictures as they came, under numbers of ours
    <data>/jobs/<job>/ref/0000    other photographs of the persons in them
    <data>/jobs/<job>/out/0000    the results
"""

from __future__ import annotations

import logging
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from likeness.batch.journal import Item, Journal, State, Task, Thumbnails
from likeness.batch.journal_file import damaged
from likeness.compute.cancellation import WorkCancelled, cancellable, checkpoint
from likeness.core.files import write_bytes_atomically
from likeness.core.hashing import sha256_of
from likeness.errors import ConfigError, FileWriteError, JournalError, LikenessError, NoFaceError
from likeness.imaging.encode import find_format
from likeness.imaging.sniff import HEAD_BYTES
from likeness.imaging.thumbnail import thumbnail
from likeness.messages.notice import Notice, notice_of, reason_of
from likeness.reference.references import References
from likeness.server.api.requests import RestoreRequest
from likeness.server.api.restoring import restore_bytes
from likeness.server.http.names import safe_names
from likeness.server.http.problems import ProblemError, log_unforeseen
from likeness.server.http.state import ServerState
from likeness.server.http.uploads import Upload
from likeness.server.jobs.doubts import doubts_of, joined, looked_at
from likeness.server.jobs.references import JobReferences, put_apart

__all__ = ["Jobs", "Progress", "number_of"]

_log = logging.getLogger(__name__)

_JOB = re.compile(r"[0-9a-f]{32}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{4,9}", re.ASCII)

_ORPHAN_SECONDS = 3600.0
"""A job's folder that the journal does not know is one whose upload broke off; after so long nobody is sending it."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a job is.

    Attributes:
        counts: pictures by state.
        created: seconds since 1970.
        ended: when the last picture was done; None while there is work.
        seconds_left: a guess from the pictures that are done; None without any.
    """

    counts: Mapping[State, int]
    created: float
    ended: float | None
    seconds_left: float | None

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        return self.total - self.counts["queued"] - self.counts["running"]


class Jobs:
    """All jobs of a server. Safe to use from several threads; methods block, and belong into one.

    Args:
        state: the application's.

    Raises:
        JournalError: if the journal cannot be opened.
        ConfigError: if the data folder cannot be made, or is not this user's.
    """

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._root = state.settings.data
        self._lock = threading.Lock()
        self._chains: dict[str, int] = {}
        self._running: dict[tuple[str, str], threading.Event] = {}
        self._references = JobReferences(state)
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            # Pictures of clients: for this user only, also where the folder was there before.
            self._root.chmod(0o700)
            (self._root / "jobs").mkdir(exist_ok=True)
        except OSError as error:
            raise ConfigError(Notice("job.folder", {"root": str(self._root), "why": reason_of(error)})) from error
        self._journal = Journal(self._root / "journal.sqlite")

    def close(self) -> None:
        """Give back what was not finished; the pool's work must have ended."""
        self._journal.close()

    # Taking jobs on

    def reserve(self) -> tuple[str, Path]:
        """A name for a new job, and the folder for its pictures.

        Raises:
            ProblemError: if there are as many unfinished jobs as there may be, or the data folder holds as much as it may.
        """
        settings = self._state.settings
        unfinished = sum(1 for job in self._journal.groups() if self._unfinished(job))
        if unfinished >= settings.max_jobs:
            raise ProblemError(
                "too-many-jobs",
                f"{unfinished} jobs are not finished, and no more are taken; try again later",
                headers={"Retry-After": "60"},
            )
        if _size(self._root) + settings.max_upload > settings.max_stored:
            raise ProblemError(
                "storage-full", "the server keeps as many pictures as it may; delete jobs, or try again later"
            )
        job = secrets.token_hex(16)
        folder = self._folder(job) / "in"
        folder.mkdir(parents=True)
        return job, folder

    def sort(self, job: str, uploads: Sequence[Upload]) -> list[Upload]:
        """Put the files of a form where they belong; its pictures, in their order."""
        return put_apart(uploads, pictures=self._folder(job) / "in", others=self._folder(job) / "ref", name=_name)

    def references(self, job: str, *, trusted: bool) -> References | None:
        """The other photographs of a job; None if it has none."""
        return self._references.of(job, self._folder(job) / "ref", trusted=trusted)

    def begin(self, job: str, uploads: Sequence[Upload], requests: Sequence[RestoreRequest]) -> None:
        """Put a job's pictures in the queue, each with what is to be done to it, and start."""
        suffixes: list[str] = []
        digests: list[str] = []
        for number, request in enumerate(requests):
            with self._input(job, number).open("rb") as stream:
                suffixes.append(request.result_format(stream.read(HEAD_BYTES)).suffixes[0])
            digests.append(sha256_of(self._input(job, number)))
        names = safe_names([upload.name for upload in uploads], suffixes)
        self._journal.put(
            Task(
                target=name,
                source=_name(number),
                content=digest,
                model=self._state.model,
                options=request.values,
                group=job,
            )
            for number, (name, digest, request) in enumerate(zip(names, digests, requests, strict=True))
        )
        self._start(job)

    def discard(self, job: str) -> None:
        """Remove the folder of a job that never began."""
        self._forget(job)

    def again(self, job: str, number: int, request: RestoreRequest) -> Item:
        """Restore one picture of a job once more, in another way; what it was before is replaced when that is done.

        Raises:
            ProblemError: if there is no such picture.
        """
        item = self.item(job, number)
        was = item.key
        self._journal.put(
            [
                Task(
                    target=item.target,
                    source=item.source,
                    content=item.content,
                    model=item.model,
                    options=request.values,
                    group=job,
                )
            ]
        )
        self._start(job)
        item = self.item(job, number)
        if item.key != was:
            self._cancel(job, item.source)
        return item

    # Looking

    def items(self, job: str) -> list[Item]:
        """A job's pictures in their order.

        Raises:
            ProblemError: if there is no such job.
        """
        found = list(self._journal.items(group=job))
        if not found:
            raise ProblemError("job-unknown", "there is no such job; it was deleted, or kept as long as jobs are")
        return found

    def item(self, job: str, number: int) -> Item:
        """One picture of a job.

        Raises:
            ProblemError: if there is no such job or picture.
        """
        found = list(self._journal.items(group=job, source=_name(number)))
        if not found:
            count = len(self.items(job))
            raise ProblemError("picture-unknown", f"the job has {count} pictures, numbered from 0")
        return found[0]

    def progress(self, items: Sequence[Item]) -> Progress:
        """How far a job is."""
        counts: dict[State, int] = dict.fromkeys(("queued", "running", "final", "review", "skipped", "failed"), 0)
        for item in items:
            counts[item.state] += 1
        left = counts["queued"] + counts["running"]
        seconds = [taken for item in items if isinstance(taken := item.outcome.get("seconds"), float)]
        return Progress(
            counts=counts,
            created=min(item.created for item in items),
            ended=None if left else max(item.changed for item in items),
            seconds_left=float(np.mean(seconds)) * left / self._state.pool.workers if seconds and left else None,
        )

    def result(self, item: Item) -> tuple[Path, str]:
        """The file of a picture's result, and its media type.

        Raises:
            ProblemError: if there is none.
        """
        path = self._output(item.group, number_of(item))
        if item.state not in ("final", "review") or not path.is_file():
            why = item.reason or f"it is {item.state}"
            raise ProblemError("no-result", f"picture {number_of(item)} has no result: {why}")
        return path, find_format(str(item.outcome.get("format"))).media_type

    def original(self, item: Item) -> Path:
        """The file of a picture as it came.

        Raises:
            ProblemError: if it is gone.
        """
        path = self._input(item.group, number_of(item))
        if not path.is_file():
            raise ProblemError("picture-unknown", "the picture was deleted with its job")
        return path

    def thumbnails(self, item: Item) -> Thumbnails:
        """Small JPEGs of a picture before and after.

        Raises:
            ProblemError: if there are none.
        """
        found = self._journal.thumbnails(item)
        if found is None:
            raise ProblemError("no-result", f"picture {number_of(item)} has no thumbnails: it is {item.state}")
        return found

    # Ending

    def delete(self, job: str) -> None:
        """Forget a job and its pictures at once; work on them ends at its next step, without a trace.

        Raises:
            ProblemError: if there is no such job.
        """
        if not self._journal.remove(job):
            self.items(job)
        self._cancel(job)
        self._forget(job)

    def sweep(self) -> None:
        """Delete what was kept long enough, and go on with what waits; called at the start and now and then."""
        now = time.time()
        known = self._journal.groups()
        for job in known:
            if self._unfinished(job):
                self._start(job)
                continue
            if self._journal.last_change(job) + self._state.settings.keep_hours * 3600 < now:
                count = self._journal.remove(job)
                self._forget(job)
                _log.info("a job of %d pictures was deleted: its time is over", count)
        for folder in (self._root / "jobs").iterdir():
            with suppress(OSError):
                if folder.name not in known and folder.stat().st_mtime + _ORPHAN_SECONDS < now:
                    shutil.rmtree(folder)

    def _forget(self, job: str) -> None:
        self._references.forget(job)
        shutil.rmtree(self._folder(job), ignore_errors=True)

    # Working

    def _start(self, job: str) -> None:
        """See that as many threads as there are may work on a job: each takes a picture, and queues up again."""
        with self._lock:
            missing = self._state.pool.workers - self._chains.get(job, 0)
            self._chains[job] = self._state.pool.workers
        for _ in range(missing):
            self._queue(job)

    def _queue(self, job: str) -> None:
        try:
            self._state.pool.submit_background(lambda: self._work(job))
        except RuntimeError:  # the server stops; the journal keeps what waits
            self._end_chain(job)

    def _work(self, job: str) -> None:
        try:
            # What was in work when the server died comes first and alone, of whatever job it is.
            item = self._journal.claim(group=None if self._journal.suspects() else job)
            if item is not None:
                self._restore(item)
            if item is not None and item.suspect:
                # The others had nothing that they were allowed to begin.
                for other in self._journal.groups():
                    if self._unfinished(other):
                        self._start(other)
        except JournalError as error:
            _log.error("%s; jobs go on when that is mended", error)
            item = None
        if item is not None:
            self._queue(job)
        else:
            self._end_chain(job)

    def _end_chain(self, job: str) -> None:
        with self._lock:
            left = self._chains.get(job, 1) - 1
            if left > 0:
                self._chains[job] = left
            else:
                self._chains.pop(job, None)

    def _cancel(self, job: str, source: str | None = None) -> None:
        """Have work on a job's pictures, or on one of them, end at its next step."""
        with self._lock:
            for (of, name), cancelled in self._running.items():
                if of == job and source in (None, name):
                    cancelled.set()

    def _restore(self, item: Item) -> None:
        cancelled = threading.Event()
        place = (item.group, item.source)
        with self._lock:
            self._running[place] = cancelled
        try:
            current = self._journal.get(item.target, group=item.group)
            if current is not None and current.key == item.key:
                with cancellable(cancelled):
                    self._restore_now(item)
            else:  # deleted, or asked for in another way, before it was in the table
                self._journal.release(item)
        except WorkCancelled:
            # Nobody wants it so any more; where it is wanted in another way, it is in the queue again.
            self._journal.release(item)
        finally:
            with self._lock:
                del self._running[place]

    def _restore_now(self, item: Item) -> None:
        number = number_of(item)
        began = time.perf_counter()
        try:
            data = self._input(item.group, number).read_bytes()
            request = RestoreRequest.of(item.options)
            # Nobody watches a job, as nobody watches a batch.
            request = replace(request, on_bad=request.on_bad or "lower")
            others = self.references(item.group, trusted=request.trust_references)
            restored = restore_bytes(self._state, data, request, references=others)
            output = self._output(item.group, number)
            checkpoint()
            output.parent.mkdir(exist_ok=True)
            write_bytes_atomically(restored.data, output)
        except NoFaceError as error:
            why = notice_of(error)
            self._journal.finish(item, "skipped", reason=why, outcome={"notice": why.to_dict()})
        except (LikenessError, ProblemError) as error:
            self._fail(item, notice_of(error), retry=isinstance(error, FileWriteError))
        except FileNotFoundError:
            # Deleted while it waited for its turn or was worked on.
            self._fail(item, Notice("job.picture-gone"))
        except (OSError, MemoryError) as error:
            full = isinstance(error, MemoryError)
            why = Notice("server.no-memory") if full else Notice("job.disk-failed", {"why": reason_of(error)})
            self._fail(item, why, retry=True)
        except Exception as error:
            log_unforeseen(error, "a job")
            self._fail(item, Notice("server.unexpected", {"kind": type(error).__name__}))
        else:
            seconds = time.perf_counter() - began
            self._state.metrics.work_seconds.labels("job").observe(seconds)
            doubts = doubts_of(restored.record)
            why = joined(doubts or looked_at(restored.record))
            kept = self._journal.finish(
                item,
                "review" if doubts else "final",
                reason=why,
                outcome={
                    "notice": why.to_dict() if why else None,
                    "format": restored.file_format,
                    "seconds": seconds,
                    "report": restored.record,
                },
                thumbnails=Thumbnails(before=thumbnail(restored.before), after=thumbnail(restored.after)),
            )
            if not kept and self._journal.get(item.target, group=item.group) is None:
                output.unlink(missing_ok=True)

    def _fail(self, item: Item, why: Notice, *, retry: bool = False) -> None:
        self._journal.fail(item, why, retry=retry, outcome={"notice": why.to_dict()})

    def _unfinished(self, job: str) -> bool:
        counts = self._journal.counts(group=job)
        return counts["queued"] + counts["running"] > 0

    def _folder(self, job: str) -> Path:
        # Also of what stands in the journal: folders are removed by this name.
        if not _JOB.fullmatch(job):
            raise damaged(self._journal.path, f"{job!r} is no name of a job")
        return self._root / "jobs" / job

    def _input(self, job: str, number: int) -> Path:
        return self._folder(job) / "in" / _name(number)

    def _output(self, job: str, number: int) -> Path:
        return self._folder(job) / "out" / _name(number)


def _name(number: int) -> str:
    """What a picture is called in the journal and on the disk, as `likeness.server.http.uploads` wrote it."""
    return f"{number:04d}"


def number_of(item: Item) -> int:
    """A picture's number in its job.

    Raises:
        JournalError: if the journal holds something else.
    """
    if not _NUMBER.fullmatch(item.source):
        raise JournalError(Notice("job.journal-damaged", {"id": item.id, "source": repr(item.source)}))
    return int(item.source)


def _size(folder: Path) -> int:
    """Bytes of all files under a folder; one that goes away meanwhile counts nothing."""
    return sum(_bytes(path) for path in _files(folder))


def _files(folder: Path) -> Iterator[Path]:
    with suppress(OSError):
        for path in folder.iterdir():
            if path.is_dir():
                yield from _files(path)
            else:
                yield path


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
