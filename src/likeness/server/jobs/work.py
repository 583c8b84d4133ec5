"""The work on jobs: pictures and videos out of the journal, in the pool's background, and what came of them written down."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from likeness.batch.journal import Item, Journal, Thumbnails
from likeness.compute.cancellation import WorkCancelled, cancellable, checkpoint
from likeness.core.files import write_bytes_atomically
from likeness.errors import DecoderError, FileWriteError, JournalError, LikenessError, NoFaceError
from likeness.imaging.thumbnail import thumbnail
from likeness.messages.notice import Notice, notice_of, reason_of
from likeness.server.api.requests import RestoreRequest
from likeness.server.api.restoring import restore_bytes
from likeness.server.api.video_requests import VideoRequest
from likeness.server.http.problems import ProblemError, log_unforeseen
from likeness.server.http.state import ServerState
from likeness.server.jobs.doubts import doubts_of, joined, looked_at
from likeness.server.jobs.folders import JobFolders, name_of, number_of
from likeness.server.jobs.references import JobReferences
from likeness.server.jobs.stored import bytes_under, storage_full
from likeness.server.jobs.videos import VideoWork, is_video, named, plan, video_request
from likeness.video.job import VideoJob

__all__ = ["JobWork"]

_log = logging.getLogger(__name__)

_VIDEO_SECONDS = 2.0
"""So long a thread restores frames of a video before others have their turn."""

_MEASURE_SECONDS = 10.0
"""So often it is looked, while videos are in work, how much lies on the disk."""


class JobWork:
    """Works on the jobs of a server. Safe to use from several threads.

    Args:
        state: the application's.
        journal: the queue.
        folders: where the files lie.
        references: other photographs of the persons in pictures and videos.
    """

    def __init__(self, state: ServerState, journal: Journal, folders: JobFolders, references: JobReferences) -> None:
        self._state = state
        self._journal = journal
        self._folders = folders
        self._references = references
        self._lock = threading.Lock()
        self._chains: dict[str, int] = {}
        self._running: dict[tuple[str, str], threading.Event] = {}
        self._videos: dict[tuple[str, str], VideoWork] = {}
        # Videos in work, those that are being begun too, and jobs whose video waits until one of these has ended.
        self._open: set[tuple[str, str]] = set()
        self._waiting: dict[str, None] = {}
        self._stranded: list[Item] = []
        self._measured = 0.0

    def close(self) -> None:
        """Leave videos as they are; the pool's work must have ended."""
        for work in self._videos.values():
            with suppress(LikenessError):
                work.close()

    def video(self, item: Item) -> VideoWork | None:
        """The work on a video; None where it is in nobody's hands."""
        return self._videos.get((item.group, item.source)) if item.state == "running" else None

    def planned(self, job: str, number: int, request: VideoRequest, name: str, key: str) -> VideoJob:
        """What is to be done to a video (`likeness.server.jobs.videos.plan`); ``key`` tells this work from others on it."""
        person = self._folders.person(job)
        others = self._references.of(job, self._folders.others(job), trusted=request.picture.trust_references)
        target = self._folders.of(job) / "out" / f"{name_of(number)}-{key[:16]}"
        source = self._folders.input(job, number)
        who = person if person.is_file() else None
        return plan(self._state, source, target, request, name=name, person=who, references=others)

    def start(self, job: str) -> None:
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
        if self._put_off(job):
            return
        item: Item | None = None
        waits = False
        try:
            self._give_back_stranded()
            # What was in work when the server died comes first and alone, of whatever job it is.
            item = self._journal.claim(group=None if self._journal.suspects() else job)
            if item is not None:
                waits = self._restore(item)
                self._let_others(item)
        except JournalError as error:
            self._strand(item, error)
            item = None
        if item is not None and not waits:
            self._queue(job)
            return
        self._end_chain(job)
        # A video may have ended while this one was put off.
        self._next_video()

    def _put_off(self, job: str) -> bool:
        """Whether a job's video must wait, as there are as many in work as may be; its thread has ended then."""
        with self._lock:
            if job not in self._waiting or self._has_room():
                return False
            self._leave_chain(job)
            return True

    def _has_room(self) -> bool:
        """Whether one more video may be in work: each holds a process and what it has seen of people, and more at a time
        than there are threads would be done no sooner."""
        return len(self._open) < max(1, self._state.pool.workers)

    def _next_video(self) -> None:
        """Begin the video that waits the longest, if there is room. Where it was deleted meanwhile, its thread ends at once,
        and comes here for the next."""
        with self._lock:
            if not self._waiting or not self._has_room():
                return
            job = next(iter(self._waiting))
            del self._waiting[job]
        self.start(job)

    def _strand(self, item: Item | None, error: JournalError) -> None:
        """The journal cannot be written to: what is in work is left, and given back once that is mended."""
        _log.error("%s; jobs go on when that is mended", error)
        if item is not None:
            place = (item.group, item.source)
            self._end_video(place)
            self._leave(place)
            with self._lock:
                self._stranded.append(item)

    def _give_back_stranded(self) -> None:
        while self._stranded:
            with self._lock:
                item = self._stranded.pop() if self._stranded else None
            if item is not None:
                try:
                    self._journal.release(item)
                except JournalError:
                    self._stranded.append(item)
                    raise

    def _let_others(self, item: Item) -> None:
        """Behind one that was worked on alone: the others had nothing that they were allowed to begin."""
        if item.suspect and (item.group, item.source) not in self._videos:
            self._start_all()

    def _start_all(self) -> None:
        for job in self._journal.groups():
            if self.unfinished(job):
                self.start(job)

    def _end_chain(self, job: str) -> None:
        with self._lock:
            self._leave_chain(job)

    def _leave_chain(self, job: str) -> None:
        left = self._chains.get(job, 1) - 1
        if left > 0:
            self._chains[job] = left
        else:
            self._chains.pop(job, None)

    def cancel(self, job: str, source: str | None = None) -> None:
        """Have work on a job's pictures, or on one of them, end at its next step."""
        with self._lock:
            for (of, name), cancelled in self._running.items():
                if of == job and source in (None, name):
                    cancelled.set()

    def _restore(self, item: Item) -> bool:
        """Work on an item; True for a video that has to wait instead, which is in the queue again."""
        cancelled = threading.Event()
        place = (item.group, item.source)
        with self._lock:
            room = not is_video(item) or self._has_room()
            if room:
                self._running[place] = cancelled
                if is_video(item):
                    self._open.add(place)
            else:
                self._waiting[item.group] = None
        if not room:
            self._journal.release(item)
            return True
        current = self._journal.get(item.target, group=item.group)
        if current is None or current.key != item.key:
            # Deleted, or asked for in another way, before it was in the table.
            self._journal.release(item)
            self._leave(place)
        else:
            self._do(item, self._begin_video if is_video(item) else self._restore_picture)
        return False

    def _do(self, item: Item, work: Callable[[Item], None]) -> None:
        """Work on an item, and write down what came of it; a video that is not done has its next turn later."""
        place = (item.group, item.source)
        cancelled = self._running[place]
        if not self._journal.renew(item):
            # Another has it, or it is wanted in another way.
            cancelled.set()
        try:
            with cancellable(cancelled):
                self._told(item, work)
        except WorkCancelled:
            # Nobody wants it so any more; where it is wanted in another way, it is in the queue again.
            self._end_video(place)
            self._journal.release(item)
        if item.suspect and place in self._videos and self._videos[place].advanced:
            item = self._trust(item)
        if place in self._videos:
            # Once the server stops, what is done lies on the disk.
            with suppress(RuntimeError):
                self._state.pool.submit_background(lambda: self._do_more(item))
            return
        self._leave(place)
        if is_video(item):
            self._next_video()
            if self.unfinished(item.group):
                # Asked for in another way while it was in work, when nobody could begin that.
                self.start(item.group)

    def _trust(self, item: Item) -> Item:
        """A video that was in work when the server died, and has a new segment now: it gets on, and others need not wait for
        all of it. Where those have to show the same first, it goes on behind them, from its segments."""
        self._journal.renew(item, trusted=True)
        if self._journal.suspects():
            self._end_video((item.group, item.source))
            self._journal.release(item)
        self._start_all()
        return replace(item, suspect=False)

    def _do_more(self, item: Item) -> None:
        try:
            self._do(item, self._go_on_with_video)
            self._let_others(item)
        except JournalError as error:
            self._strand(item, error)

    def _leave(self, place: tuple[str, str]) -> None:
        with self._lock:
            self._running.pop(place, None)
            self._open.discard(place)

    def _told(self, item: Item, work: Callable[[Item], None]) -> None:
        over = True
        try:
            work(item)
            return
        except NoFaceError as error:
            why = named(error)
            self._journal.finish(item, "skipped", reason=why, outcome={"notice": why.to_dict()})
        except (LikenessError, ProblemError) as error:
            if isinstance(error, JournalError) and error.notice.code == "journal.unusable":
                raise  # its disk, which says nothing about the picture
            checkpoint()  # where its files are gone because it was deleted, it did not fail
            why = named(error) if isinstance(error, LikenessError) else notice_of(error)
            full = isinstance(error, ProblemError) and error.code == "storage-full"
            over = not (full or isinstance(error, FileWriteError | DecoderError))
            self._fail(item, why, retry=not over)
        except FileNotFoundError:
            # Deleted while it waited for its turn or was worked on.
            self._fail(item, Notice("job.picture-gone"))
        except (OSError, MemoryError) as error:
            full = isinstance(error, MemoryError)
            why = Notice("server.no-memory") if full else Notice("job.disk-failed", {"why": reason_of(error)})
            over = False
            self._fail(item, why, retry=True)
        except Exception as error:
            log_unforeseen(error, "a job")
            self._fail(item, Notice("server.unexpected", {"kind": type(error).__name__}))
        self._end_video((item.group, item.source))
        if over and is_video(item):
            self._remove_segments(item)

    def _restore_picture(self, item: Item) -> None:
        number = number_of(item)
        began = time.perf_counter()
        data = self._folders.input(item.group, number).read_bytes()
        request = RestoreRequest.of(item.options)
        # Nobody watches a job, as nobody watches a batch.
        request = replace(request, on_bad=request.on_bad or "lower")
        others = self._references.of(item.group, self._folders.others(item.group), trusted=request.trust_references)
        restored = restore_bytes(self._state, data, request, references=others)
        output = self._folders.output(item.group, number)
        checkpoint()
        output.parent.mkdir(exist_ok=True)
        write_bytes_atomically(restored.data, output)
        doubts = doubts_of(restored.record)
        self._finish(
            item,
            "review" if doubts else "final",
            joined(doubts or looked_at(restored.record)),
            restored.file_format,
            time.perf_counter() - began,
            restored.record,
            Thumbnails(before=thumbnail(restored.before), after=thumbnail(restored.after)),
        )

    def _begin_video(self, item: Item) -> None:
        request = video_request(item.options)
        self._folders.output(item.group, 0).parent.mkdir(exist_ok=True)
        planned = self.planned(item.group, number_of(item), request, item.target, item.key)
        self._remove_segments(item, but=planned.folder)  # of what was wanted before
        output = self._folders.output(item.group, number_of(item))
        self._videos[item.group, item.source] = VideoWork(self._state, planned, output)
        self._go_on_with_video(item)

    def _go_on_with_video(self, item: Item) -> None:
        place = (item.group, item.source)
        checkpoint()
        work = self._videos[place]
        if not work.go_on(_VIDEO_SECONDS):
            self._check_storage()
            return
        del self._videos[place]
        self._finish(item, "final", "", work.target.suffix, work.seconds, work.record(), work.thumbnails)

    def _remove_segments(self, item: Item, but: Path | None = None) -> None:
        """Those of a video that nobody goes on with."""
        for folder in self._folders.output(item.group, number_of(item)).parent.glob(f"{item.source}-*.unfinished"):
            if folder != but:
                shutil.rmtree(folder, ignore_errors=True)

    def _check_storage(self) -> None:
        """A result may be much larger than what was sent: it does not fill the disk."""
        now = time.monotonic()
        if now >= self._measured + _MEASURE_SECONDS:
            self._measured = now
            settings = self._state.settings
            if bytes_under(settings.data) > settings.max_stored:
                raise storage_full()

    def _end_video(self, place: tuple[str, str]) -> None:
        if place in self._videos:
            # Its folder may be gone.
            with suppress(LikenessError, OSError):
                self._videos.pop(place).close()

    def _finish(
        self,
        item: Item,
        state: Literal["final", "review"],
        why: Notice | Literal[""],
        file_format: str,
        seconds: float,
        record: Mapping[str, Any],
        thumbnails: Thumbnails | None,
    ) -> None:
        self._state.metrics.work_seconds.labels("job").observe(seconds)
        kept = self._journal.finish(
            item,
            state,
            reason=why,
            outcome={
                "notice": why.to_dict() if why else None,
                "format": file_format,
                "seconds": seconds,
                "report": record,
            },
            thumbnails=thumbnails,
        )
        if not kept and self._journal.get(item.target, group=item.group) is None:
            self._folders.output(item.group, number_of(item)).unlink(missing_ok=True)

    def _fail(self, item: Item, why: Notice, *, retry: bool = False) -> None:
        self._journal.fail(item, why, retry=retry, outcome={"notice": why.to_dict()})

    def unfinished(self, job: str) -> bool:
        """Whether anything of a job waits or is worked on."""
        counts = self._journal.counts(group=job)
        return counts["queued"] + counts["running"] > 0
